"""Log-mel maps of whole batches: how much of each band of pitch sounds at each moment.

Slaney's mel scale (Auditory Toolbox, 1998) with triangles of equal area, as librosa computes them:
linear up to 1 kHz, logarithmic above. `tests/modalities/test_logmel.py` holds both to 1e-4.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

LINEAR_HZ = 200 / 3  # a mel below 1 kHz
KNEE_HZ = 1_000.0
KNEE_MEL = KNEE_HZ / LINEAR_HZ
LOG_STEP = math.log(6.4) / 27  # a mel above


class LogMel:
    """Waves `[B, L]` → `[B, M, T]`, natural logarithms of power; T = L // hop.

    rate: samples a second; frame, hop: samples that a column looks at, and between columns.
    floor: power beneath which nothing is told apart.
    """

    def __init__(self, rate: int, mels: int, frame: int, hop: int, floor: float) -> None:
        self.hop, self.floor = hop, floor
        self.size = 2 ** math.ceil(math.log2(frame))
        self.window = torch.hann_window(frame)
        self.filters = torch.from_numpy(mel_filters(rate, self.size, mels))

    def power(self, waves: Tensor) -> Tensor:
        """The spectrum's power `[B, F, T]`: `waves` beyond their ends are silent."""
        if torch.compiler.is_exporting():
            return self._by_products(waves)
        if self.window.device != waves.device:
            self.window, self.filters = self.window.to(waves.device), self.filters.to(waves.device)
        spectrum = torch.stft(
            waves,
            self.size,
            self.hop,
            len(self.window),
            self.window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )  # [B, F, 1 + L // hop]
        spectrum = spectrum[:, :, : waves.shape[1] // self.hop]
        # Not a sum over the pair: that takes ten times as long.
        return spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)

    def _by_products(self, waves: Tensor) -> Tensor:
        """The same, as one convolution with windowed waves: a graph without complex numbers."""
        half = self.size // 2
        window = F.pad(self.window, ((self.size - len(self.window)) // 2,) * 2)
        window = F.pad(window, (0, self.size - len(window)))
        time = torch.arange(self.size, dtype=torch.float64)
        angle = 2 * math.pi / self.size * torch.arange(half + 1)[:, None] * time  # [F, size]
        basis = torch.cat([angle.cos(), angle.sin()]).float() * window
        parts = F.conv1d(F.pad(waves[:, None], (half, half)), basis[:, None], stride=self.hop)
        parts = parts[:, :, : waves.shape[1] // self.hop]
        return parts[:, : half + 1].square() + parts[:, half + 1 :].square()

    def __call__(self, waves: Tensor) -> Tensor:
        """See the class."""
        mel = self.filters.to(waves.device) @ self.power(waves)
        return mel.clamp(min=self.floor).log()


def hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's scale."""
    above = KNEE_MEL + np.log(np.maximum(hz, KNEE_HZ) / KNEE_HZ) / LOG_STEP
    mel: NDArray[np.float64] = np.where(hz < KNEE_HZ, hz / LINEAR_HZ, above)
    return mel


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Its inverse."""
    above = KNEE_HZ * np.exp(LOG_STEP * (mel - KNEE_MEL))
    hz: NDArray[np.float64] = np.where(mel < KNEE_MEL, mel * LINEAR_HZ, above)
    return hz


def mel_filters(rate: int, size: int, mels: int) -> NDArray[np.float32]:
    """Triangles `[mels, size // 2 + 1]` evenly spaced in mel from 0 to half the rate."""
    bins = np.fft.rfftfreq(size, 1 / rate)  # [F]
    top = float(hz_to_mel(np.array(rate / 2)))
    edges = mel_to_hz(np.linspace(0, top, mels + 2))
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    filters = np.maximum(0, np.minimum(rising, falling)) * (2 / (high - low))
    return filters.astype(np.float32)
