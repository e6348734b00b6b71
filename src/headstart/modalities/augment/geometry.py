"""Turning, shearing, zooming, shifting, cropping, mirroring and bending, in one resampling.

Every map goes from places of the result to places of the picture, both in -1..1 as
`torch.nn.functional.grid_sample` counts them, so maps compose and the picture is read once.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.modalities.augment.draws import between, chance, rand
from headstart.modalities.augment.elastic import displacements
from headstart.modalities.augment.settings import Ground
from headstart.modalities.strengths import Amounts

PADDING = {"black": "zeros", "edge": "border", "mirror": "reflection"}
NARROWEST = 3 / 4  # the narrowest crop, width to height, before it is stretched to a full picture
MOVES = ("rotate", "shear", "scale", "shift", "crop", "flip")


def move(x: Tensor, amounts: Amounts, ground: Ground) -> Tensor:
    """Move and bend every picture by its own random map.

    x: float `[B, C, H, W]` in 0..1; ground: what is read where a map points beyond the picture.
    """
    bend = amounts["elastic"]
    if not (bend or any(amounts[name] for name in MOVES)):
        return x
    theta = random_maps(len(x), x.shape[2] / x.shape[3], amounts, x.device)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)  # [B, H, W, 2]
    if bend:
        grid = grid + 2 * displacements(x, bend)  # shares of the side → -1..1
    # Bilinear sampling blurs: moved pictures would have less contrast than those that are judged,
    # and the running statistics of every normalisation would be off by it.
    moved = F.grid_sample(
        x, grid, mode="bicubic", padding_mode=PADDING[ground], align_corners=False
    )
    return moved.clamp(0, 1)


def random_maps(b: int, aspect: float, amounts: Amounts, device: torch.device) -> Tensor:
    """Affine maps `[B, 2, 3]`: a random crop, mirrored, then turned, sheared, zoomed and shifted.

    aspect: height / width, so that a turned picture keeps its angles.
    """
    angle = between(b, math.radians(amounts["rotate"]), device)
    shear = between(b, amounts["shear"], device)
    zoom_x = torch.exp(between(b, amounts["scale"], device))
    zoom_y = torch.exp(between(b, amounts["scale"], device))
    shift = torch.stack([between(b, 2 * amounts["shift"], device) for _ in range(2)], dim=1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    row_x = torch.stack([cos * zoom_x, (shear * cos - sin) * zoom_y * aspect], dim=1)
    row_y = torch.stack([sin * zoom_x / aspect, (shear * sin + cos) * zoom_y], dim=1)
    matrix = torch.stack([row_x, row_y], dim=1)  # [B, 2, 2]
    size, centre = random_crops(b, amounts["crop"], device)  # [B, 2] each
    mirrored = 1 - 2 * chance(b, amounts["flip"], device).float()
    size = size * torch.stack([mirrored, torch.ones_like(mirrored)], dim=1)
    offset = (matrix @ centre.unsqueeze(2)) + shift.unsqueeze(2)  # [B, 2, 1]
    return torch.cat([matrix * size.unsqueeze(1), offset], dim=2)


def random_crops(b: int, crop: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Sizes (width, height) in 0..1 and centres in -1..1 of crops that lie within the picture.

    The area is drawn evenly from `1 - crop`..1, the shape log-evenly from 3:4 to 4:3 as far as it
    fits (the random resized crop of Szegedy et al., 2015, arXiv:1409.4842, without retries).
    """
    area = 1 - crop * rand(b, device=device)
    widest = torch.clamp(-torch.log(area), max=-math.log(NARROWEST))  # area ≤ w/h ≤ 1/area
    shape = torch.exp((2 * rand(b, device=device) - 1) * widest)
    size = torch.sqrt(torch.stack([area * shape, area / shape], dim=1)).clamp(max=1.0)
    centre = (2 * rand(b, 2, device=device) - 1) * (1 - size)
    return size, centre
