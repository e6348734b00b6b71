"""Writing set upright: how far a picture's ink leans, measured and taken back.

People lean differently, and a leaning 1 is nearer to a 7's bar than to an upright 1. The lean is
the shear that the ink's second moments show (LeCun et al., 1998, doi:10.1109/5.726791, deslant
MNIST for some of their classifiers).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MOST = 0.8  # columns a row: what leans further is no lean but a stroke


def lean(ink: Tensor) -> Tensor:
    """Columns that the ink moves to the right for each row down, `[B, 1, H, W]` ≥ 0 → `[B]`.

    The slope of the line x = a + lean · y fitted to the ink by least squares: μ₁₁ / μ₀₂.
    """
    mass = ink.squeeze(1)  # [B, H, W]
    total = mass.sum(dim=(1, 2)).clamp(min=1e-6)
    down, across = (
        torch.arange(side, dtype=mass.dtype, device=mass.device) for side in mass.shape[1:]
    )
    y = down - (mass.sum(dim=2) @ down / total)[:, None]  # [B, H]
    x = across - (mass.sum(dim=1) @ across / total)[:, None]  # [B, W]
    both = torch.einsum("bhw,bh,bw->b", mass, y, x)
    height = (mass.sum(dim=2) * y.square()).sum(dim=1)
    return (both / height.clamp(min=1e-6)).clamp(-MOST, MOST)


def upright(x: Tensor, share: float = 0.5) -> Tensor:
    """Float pictures `[B, C, H, W]` sheared about their ink's middle by `share` of their lean.

    Half by default: some of a lean is the form itself (7, 4), and on MNIST half makes fewer
    neighbours of another class than all or none of it (benchmarks/RESULTS.md).
    """
    height, width = x.shape[2:]
    ground = x[..., [0, -1], :].flatten(1).median(dim=1).values.view(-1, 1, 1, 1)
    ink = (x - ground).abs().mean(dim=1, keepdim=True)
    slope = share * lean(ink)  # [B]
    rows = ink.sum(dim=(1, 3))  # [B, H]
    places = torch.arange(height, dtype=x.dtype, device=x.device)
    middle = rows @ places / rows.sum(dim=1).clamp(min=1e-6)  # [B]
    # affine_grid's corners are at ±1: y in pixels is (ŷ + 1) · H / 2 − 1/2.
    theta = torch.zeros(len(x), 2, 3, dtype=x.dtype, device=x.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1.0
    theta[:, 0, 1] = slope * height / width
    theta[:, 0, 2] = slope * (height / 2 - 0.5 - middle) * 2 / width
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    moved = F.grid_sample(x - ground, grid, align_corners=False)
    return moved + ground
