"""Gaussian blur, each picture by its own deviation.

A blur along one side is a matrix over that side, so a whole blur is two matrix products. At the
sizes pictures have here that is faster than a grouped convolution, needs no cut-off, and keeps
the picture's brightness at its edges (each row of the matrix sums to 1).
"""

from __future__ import annotations

import torch
from torch import Tensor

from headstart.modalities.augment.draws import chance, rand
from headstart.modalities.strengths import Amounts


def blur(x: Tensor, amounts: Amounts) -> Tensor:
    """Blur a share of the pictures by deviations drawn evenly from 0..`blur` sides."""
    if not amounts["blur"]:
        return x
    b, side = len(x), min(x.shape[2:])
    deviation = amounts["blur"] * side * rand(b, device=x.device)
    return blur_by(x, deviation * chance(b, amounts["blur_share"], x.device))


def blur_by(x: Tensor, deviation: Tensor) -> Tensor:
    """Blur each picture of float `[B, C, H, W]` by its deviation `[B]` in pixels."""
    down, across = (gaussian(length, deviation)[:, None] for length in x.shape[2:])
    return down @ x @ across.transpose(2, 3)


def gaussian(length: int, deviation: Tensor) -> Tensor:
    """Matrices `[B, length, length]` that average along a side with Gaussian weights."""
    place = torch.arange(length, device=deviation.device, dtype=deviation.dtype)
    squared = (place[:, None] - place) ** 2
    # A deviation of 0 must give the identity, not 0 / 0.
    return torch.softmax(-squared / (2 * deviation.clamp(min=1e-2).view(-1, 1, 1) ** 2), dim=2)
