"""Log-mel maps `[B, M, T]` changed, each by its own random amounts."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from headstart.modalities.augment.draws import between, rand
from headstart.modalities.sound.logmel import hz_to_mel, mel_to_hz


def warped(x: Tensor, rate: int, limit: float) -> Tensor:
    """Pitches stretched, as by a longer or shorter vocal tract (Jaitly and Hinton, 2013: VTLP).

    limit: of the log of the factor by which frequencies in hertz are multiplied, drawn evenly.
    """
    b, mels, _ = x.shape
    top = float(hz_to_mel(np.array(rate / 2)))
    centres = mel_to_hz(np.linspace(0, top, mels + 2)[1:-1])  # [M]
    steps = 33  # the curve between factors is smooth: a table of them is exact enough
    factors = np.exp(np.linspace(-limit, limit, steps))
    table = hz_to_mel(centres[None] * factors[:, None]) / top * (mels + 1) - 1  # [steps, M]
    places = torch.from_numpy(table).to(x)
    share = (between(b, 1.0, x.device) + 1) / 2 * (steps - 1)
    low = share.floor().clamp(max=steps - 2).long()
    at = torch.lerp(places[low], places[low + 1], (share - low)[:, None]).clamp(
        0, mels - 1
    )  # [B, M]
    below = at.floor().clamp(max=mels - 2).long()
    index = below[:, :, None].expand(-1, -1, x.shape[2])
    return torch.lerp(x.gather(1, index), x.gather(1, index + 1), (at - below)[:, :, None])


def masked(x: Tensor, frames: Tensor, widest: tuple[float, float], count: int) -> Tensor:
    """Bands of pitch and stretches of time set to 0 (SpecAugment: Park et al., arXiv:1904.08779).

    x: normalised, so that 0 is the mean. frames: of each recording, `[B]`. widest: of a band, as a
    share of all; of a stretch, as a share of the recording. count: of bands, and of stretches.
    """
    b, mels, time = x.shape
    hidden = torch.zeros(b, mels, time, dtype=torch.bool, device=x.device)
    for _ in range(count):
        band = _stretches(torch.full((b,), float(mels), device=x.device), widest[0], mels)
        span = _stretches(frames.float(), widest[1], time)
        hidden |= band[:, :, None] | span[:, None, :]
    return x.masked_fill(hidden, 0.0)


def _stretches(length: Tensor, widest: float, size: int) -> Tensor:
    """`[B, size]`: for each row one stretch within its first `length` places."""
    width = (rand(len(length), device=length.device) * (widest * length + 1)).floor()
    start = (rand(len(length), device=length.device) * (length - width + 1)).floor()
    place = torch.arange(size, device=length.device)
    return (place >= start[:, None]) & (place < (start + width)[:, None])
