"""Whole batches of pictures turned, sheared, scaled and shifted, each by its own amounts."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.settings import Settings, setting


class AffineConfig(Settings):
    """How far pictures may move; the defaults suit digits and letters, which must not be flipped.

    Chosen for handwriting by eye and by accuracy on validation draws.
    """

    rotate: float = setting(12.0, "at most so many degrees, either way")
    shear: float = setting(0.15, "at most so much sideways a unit of height")
    scale: float = setting(0.12, "at most so much larger or smaller")
    shift: float = setting(0.08, "at most this share of the side")
    flip: bool = setting(False, "mirror half of the pictures left to right")


def random_affine(x: Tensor, config: AffineConfig) -> Tensor:
    """Move every picture of a batch by its own random affine map.

    x: float `[B, C, H, W]` whose background is 0. Returns the same shape.
    """
    b, _, height, width = x.shape

    def between(limit: float) -> Tensor:
        return torch.empty(b, device=x.device).uniform_(-limit, limit)

    angle = between(math.radians(config.rotate))
    shear = between(config.shear)
    zoom_x = torch.exp(between(config.scale))
    zoom_y = torch.exp(between(config.scale))
    if config.flip:
        zoom_x = zoom_x * (torch.randint(0, 2, (b,), device=x.device) * 2 - 1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    aspect = height / width
    # output → input coordinates, both in -1..1
    across, down = between(2 * config.shift), between(2 * config.shift)
    row_x = torch.stack([cos * zoom_x, (shear * cos - sin) * zoom_y * aspect, across], dim=1)
    row_y = torch.stack([sin * zoom_x / aspect, (shear * sin + cos) * zoom_y, down], dim=1)
    theta = torch.stack([row_x, row_y], dim=1)  # [B, 2, 3]
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)  # [B, H, W, 2]
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
