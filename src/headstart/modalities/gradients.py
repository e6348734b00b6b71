"""Histograms of oriented gradients: a picture's strokes and edges without a network.

Dalal and Triggs, 2005, doi:10.1109/CVPR.2005.177: in each cell, how much edge there is in each
direction. Small shifts and bends hardly change it, which pixels cannot say of themselves.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

BINS = 8
CELLS = 9  # along each side; they overlap by half


def oriented_gradients(x: Tensor) -> Tensor:
    """Float pictures `[B, C, H, W]` → unit vectors `[B, 8 · 81]`; no colour, 8 directions.

    Directions are of the whole circle: what is bright on which side is told apart. A gradient is
    shared between the two bins next to it.
    """
    grey = x.mean(dim=1, keepdim=True)  # [B, 1, H, W]
    across = F.pad(grey, (1, 1, 0, 0), mode="replicate")
    down = F.pad(grey, (0, 0, 1, 1), mode="replicate")
    dx = across[..., 2:] - across[..., :-2]
    dy = down[..., 2:, :] - down[..., :-2, :]
    strength = torch.sqrt(dx.square() + dy.square())
    place = torch.atan2(dy, dx) / (2 * math.pi) * BINS
    bins = torch.arange(BINS, device=x.device).view(1, -1, 1, 1)
    away = ((place - bins + BINS / 2) % BINS - BINS / 2).abs()  # in bins, round the circle
    shares = strength * (1 - away).clamp(min=0)  # [B, 8, H, W]
    step = [side / (CELLS + 1) for side in x.shape[2:]]
    fine = F.adaptive_avg_pool2d(shares, (CELLS + 1, CELLS + 1)) if min(step) >= 1 else shares
    cells = F.avg_pool2d(fine, 2, stride=1)  # overlapping by half
    return F.normalize(cells.flatten(1), dim=1)
