import json

import numpy as np
import pytest
import soundfile
import torch

from headstart.backbones.audioconv import AudioConv, AudioConvConfig
from headstart.data.hearing import as_row
from headstart.data.sources import open_dataset
from headstart.modalities.audio import Audio, AudioConfig
from headstart.modalities.sound import AugmentConfig
from headstart.types import Batch
from sounds import tone, tones


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tones(tmp_path_factory.mktemp("sounds") / "all")


@pytest.fixture(scope="module")
def audio(folder):
    return Audio.fit(open_dataset(str(folder)).train, AudioConfig())


def test_statistics_make_train_normal(folder, audio):
    x, bad = audio.tensor(open_dataset(str(folder)).train)
    assert not bad
    maps = audio.prepare(x)
    inside = (maps != audio.spec.empty).any(dim=(1, 2))
    columns = maps[:, 0].transpose(1, 2)[inside]
    assert columns.mean(0).abs().max() < 0.05
    assert maps.shape[1:] == audio.spec.shape
    assert maps.min() >= audio.spec.low
    assert maps.max() <= audio.spec.high


def test_state_survives_json_and_prepares_alike(folder, audio):
    other = Audio.from_state(json.loads(json.dumps(audio.state())))
    x, _ = audio.tensor(open_dataset(str(folder)).train)
    assert torch.equal(audio.prepare(x), other.prepare(x))
    assert other.spec == audio.spec
    assert other.state() == audio.state()


@pytest.mark.parametrize("kind", ["speech", "sounds"])
def test_augmentation_changes_samples_and_keeps_shapes_and_bounds(folder, audio, kind):
    config = AudioConfig(augment=AugmentConfig(kind=kind))
    made = Audio.fit(open_dataset(str(folder)).train, config).by_window()
    x, _ = made.tensor(open_dataset(str(folder)).train)
    plain = made.prepare(x)
    for strength in ("weak", "strong"):
        torch.manual_seed(0)
        one, other = made.augment(x, strength), made.augment(x, strength)
        assert one.shape == plain.shape
        assert one.isfinite().all()
        assert not torch.equal(one, other)
        assert one.min() >= made.spec.low
        assert one.max() <= made.spec.high


def test_kind_none_leaves_samples_as_they_are(folder):
    config = AudioConfig(augment=AugmentConfig(kind="none"))
    made = Audio.fit(open_dataset(str(folder)).train, config)
    x, _ = made.tensor(open_dataset(str(folder)).train)
    assert torch.equal(made.augment(x), made.prepare(x))


@pytest.mark.parametrize("freed", ["mean", "both"])
def test_freed_of_its_mean_a_recording_does_not_tell_the_microphone(folder, freed):
    made = Audio.fit(open_dataset(str(folder)).train, AudioConfig(freed=freed, floor=1e-9))
    wave = tone(500)
    rows = np.stack([as_row(w, made.reading.window) for w in (wave, 0.5 * wave)])
    maps = made.prepare(torch.from_numpy(rows))
    torch.testing.assert_close(maps[0], maps[1], atol=0.1, rtol=0)


def test_long_recordings_are_looked_at_window_by_window(tmp_path):
    tones(tmp_path / "all", count=4)
    soundfile.write(tmp_path / "all/low/long.wav", tone(300, seconds=1.0), 8_000)
    train = open_dataset(str(tmp_path / "all")).train
    made = Audio.fit(train, AudioConfig(window=0.4, windows=3))
    x, _ = made.tensor(train)
    assert made.prepare(x).shape[-1] == 3 * made.spec.shape[-1]
    short = made.prepare(x[:1])
    assert short.shape[-1] == made.spec.shape[-1]
    net = AudioConv(AudioConvConfig(), made.spec).eval()
    with torch.no_grad():
        together, alone = net(Batch(made.prepare(x))), net(Batch(short))
    torch.testing.assert_close(together.pooled[:1], alone.pooled, atol=1e-4, rtol=1e-4)
    assert together.tokens.shape[:2] == together.mask.shape
    assert made.by_window().prepare(made.by_window().tensor(train)[0]).shape[1:] == made.spec.shape


def test_descriptions_tell_pitches_apart(folder, audio):
    train = open_dataset(str(folder)).train
    x, _ = audio.tensor(train)
    unit = audio.describe(x)
    alike = unit @ unit.T
    same = torch.from_numpy(train.targets[:, None] == train.targets[None])
    assert alike[same].min() > alike[~same].max()
