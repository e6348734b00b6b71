"""What each transform of recordings keeps, and what it changes."""

import math

import pytest
import torch

from headstart.modalities.sound import maps, waves
from headstart.modalities.sound.settings import AugmentConfig, choose

RATE = 8_000


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def tones(pitches, length=4_000, room=6_000):
    time = torch.arange(length) / RATE
    x = torch.zeros(len(pitches), room)
    for row, pitch in zip(x, pitches, strict=True):
        row[:length] = 0.1 * torch.sin(2 * math.pi * pitch * time)
    return x, torch.full((len(pitches),), length)


def pitch_of(wave, length):
    spectrum = torch.fft.rfft(wave[:length] * torch.hann_window(length), 32_768).abs()
    return float(spectrum.argmax()) * RATE / 32_768


def test_speed_changes_pitch_and_length_by_the_same_factor():
    x, ends = tones([500.0] * 40)
    made, after = waves.speeded(x, ends, 0.2)
    factors = ends / after
    assert factors.min() < 0.9
    assert factors.max() > 1.1
    assert (factors.log().abs() <= 0.2 + 1e-3).all()
    for wave, end, factor in zip(made, after.tolist(), factors.tolist(), strict=True):
        assert pitch_of(wave, end) == pytest.approx(500 * factor, rel=0.01)
        assert not wave[end:].any()


def test_what_fills_its_row_is_never_slowed_down_and_cut():
    x, ends = tones([500.0] * 40, length=6_000)
    _, after = waves.speeded(x, ends, 0.2)
    assert (after <= 6_000).all()
    assert (6_000 / after >= 1 - 1e-3).all()


def test_a_shifted_recording_is_all_there_later():
    x, ends = tones([500.0] * 20)
    made, after = waves.shifted(x, ends, 1_500)
    for before, wave, end in zip(x, made, after.tolist(), strict=True):
        start = end - 4_000
        assert 0 <= start <= 1_500
        torch.testing.assert_close(wave[start:end], before[:4_000])
    assert len(set(after.tolist())) > 5


def test_rooms_and_equalisers_keep_the_power_and_the_end():
    x, ends = tones([300.0, 800.0, 2_000.0] * 5)
    amounts = choose(AugmentConfig())["strong"] | {"room_share": 1.0}
    made = waves.filtered(x, ends, RATE, amounts)
    torch.testing.assert_close(made.square().sum(1), x.square().sum(1), rtol=1e-3, atol=1e-6)
    assert not made[:, 4_000:].any()
    assert (made - x).abs().max() > 1e-3
    still = waves.filtered(x, ends, RATE, amounts | {"room": 0.0, "equaliser": 1e-6})
    torch.testing.assert_close(still, x, atol=1e-5, rtol=0)


def test_gain_and_noise_stay_within_their_limits():
    x, ends = tones([500.0] * 50)
    ratio = 20 * torch.log10(waves.louder(x, 6.0).abs().amax(1) / x.abs().amax(1))
    assert ratio.abs().max() <= 6 + 1e-4
    amounts = choose(AugmentConfig())["strong"] | {"noise": 0.1, "noise_share": 0.5}
    for soft in (1.0, 0.02):  # noise is as loud as the recording has it
        noise = waves.noisy(soft * x, ends, amounts) - soft * x
        assert not noise[:, 4_000:].any()
        power = noise[:, :4_000].square().mean(1).sqrt()
        sound = soft * x[:, :4_000].square().mean(1).sqrt()
        assert (power / sound).max() <= 0.1 * 2
        assert 10 <= int((power > 0).sum()) <= 40


def test_warping_moves_a_band_as_its_frequency_would_move():
    mels = 40
    centres = maps.mel_to_hz(
        torch.linspace(0, float(maps.hz_to_mel(torch.tensor(4_000.0).double().numpy())), mels + 2)[
            1:-1
        ].double().numpy()
    )  # fmt: skip
    x = torch.zeros(200, mels, 3)
    x[:, 20] = 1.0
    made = maps.warped(x, RATE, 0.15)
    bands = torch.arange(mels)[None, :, None].float()
    place = (made * bands).sum(1)[:, 0] / made.sum(1)[:, 0]
    low, high = (abs(centres - centres[20] * math.exp(f)).argmin() for f in (-0.15, 0.15))
    assert place.min() >= low - 1
    assert place.max() <= high + 1
    assert place.min() < 19.5
    assert place.max() > 20.5
    torch.testing.assert_close(maps.warped(x, RATE, 1e-9), x, atol=1e-4, rtol=0)


def test_masks_hide_no_more_than_asked_and_nothing_behind_the_end():
    x = torch.ones(300, 40, 100)
    frames = torch.full((300,), 60)
    made = maps.masked(x, frames, (0.25, 0.2), 1)
    bands = (made[:, :, 80] == 0).sum(1)
    assert bands.max() <= 10
    assert bands.float().mean() == pytest.approx(5, abs=0.7)
    free = (bands == 0).nonzero()[:, 0]
    spans = (made[free, 0] == 0).sum(1)
    assert spans.max() <= 12
    assert (made[free][:, :, 60:] == 1).all()
