import numpy as np
import pytest
import torch

from headstart.modalities.sound.logmel import LogMel, mel_filters

WAVES = np.random.default_rng(0).standard_normal((3, 4_000)).astype(np.float32) * 0.1


def reference(wave, rate, mels, frame, hop, floor=1e-10):  # noqa: PLR0917
    """The same by its definition, in float64: each column a Fourier sum, each band a triangle."""
    size = 2 ** int(np.ceil(np.log2(frame)))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    left = (size - frame) // 2
    window = np.zeros(size)
    window[left : left + frame] = hann
    padded = np.pad(wave.astype(np.float64), size // 2)
    n, k = np.arange(size), np.arange(size // 2 + 1)
    fourier = np.exp(-2j * np.pi * np.outer(k, n) / size)
    columns = [padded[i * hop : i * hop + size] * window for i in range(len(wave) // hop)]
    power = np.abs(fourier @ np.array(columns).T) ** 2

    def mel(hz):
        return hz * 3 / 200 if hz < 1_000 else 15 + 27 * np.log(hz / 1_000) / np.log(6.4)

    def hz(mel):
        return mel * 200 / 3 if mel < 15 else 1_000 * 6.4 ** ((mel - 15) / 27)

    edges = [hz(m) for m in np.linspace(0, mel(rate / 2), mels + 2)]
    bands = np.zeros((mels, len(k)))
    for m in range(mels):
        low, middle, high = edges[m : m + 3]
        for j, f in enumerate(k * rate / size):
            up, down = (f - low) / (middle - low), (high - f) / (high - middle)
            bands[m, j] = max(0.0, min(up, down)) * 2 / (high - low)
    return np.log(np.maximum(bands @ power, floor))


@pytest.mark.parametrize(
    ("rate", "mels", "frame", "hop"), [(8_000, 40, 200, 80), (16_000, 64, 400, 160)]
)
def test_maps_are_those_of_the_definition(rate, mels, frame, hop):
    made = LogMel(rate, mels, frame, hop, 1e-10)(torch.from_numpy(WAVES))
    for wave, one in zip(WAVES, made.numpy(), strict=True):
        np.testing.assert_allclose(one, reference(wave, rate, mels, frame, hop, 1e-10), atol=1e-4)


@pytest.mark.slow  # librosa takes its time to be imported
@pytest.mark.parametrize(
    ("rate", "mels", "frame", "hop"), [(8_000, 40, 200, 80), (16_000, 64, 512, 160)]
)
def test_maps_are_those_of_librosa(rate, mels, frame, hop):
    librosa = pytest.importorskip("librosa")
    size = 2 ** int(np.ceil(np.log2(frame)))
    filters = librosa.filters.mel(sr=rate, n_fft=size, n_mels=mels)
    np.testing.assert_allclose(mel_filters(rate, size, mels), filters, atol=1e-6)
    theirs = librosa.feature.melspectrogram(
        y=WAVES, sr=rate, n_fft=size, hop_length=hop, win_length=frame, n_mels=mels, power=2.0
    )
    made = LogMel(rate, mels, frame, hop, 1e-10)(torch.from_numpy(WAVES))
    wanted = np.log(np.maximum(theirs, 1e-10))[..., : made.shape[2]]
    np.testing.assert_allclose(made.numpy(), wanted, atol=1e-4)
