"""Random erasing (Zhong et al., 2017, arXiv:1708.04896): one rectangle a picture."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from headstart.modalities.augment.draws import between, chance, rand
from headstart.modalities.augment.settings import Ground
from headstart.modalities.strengths import Amounts

LONGEST = 3.0  # a rectangle's sides are at most 3 : 1


def erase(x: Tensor, amounts: Amounts, ground: Ground) -> Tensor:
    """Erase a rectangle of a share of the pictures: to black, or to the picture's mean colour.

    x: float `[B, C, H, W]`; the mean where the ground is not black.
    """
    if not amounts["erase"]:
        return x
    inside = rectangles(x, amounts["erase"])
    inside &= chance(len(x), amounts["erase_share"], x.device).view(-1, 1, 1)
    fill = torch.zeros((), device=x.device) if ground == "black" else x.mean((2, 3), keepdim=True)
    return torch.where(inside.unsqueeze(1), fill.to(x.dtype), x)


def rectangles(x: Tensor, largest: float) -> Tensor:
    """One random rectangle of whole pixels a picture: bool `[B, H, W]`.

    Its area is drawn evenly from 0..largest, its shape log-evenly; it lies within the picture, cut
    off where its shape does not fit.
    """
    b, _, height, width = x.shape
    area = largest * rand(b, device=x.device)
    shape = torch.exp(between(b, math.log(LONGEST), x.device))
    inside = []
    for length, share in ((height, torch.sqrt(area * shape)), (width, torch.sqrt(area / shape))):
        size = (length * share).round().clamp(max=length)  # [B], whole pixels
        start = (rand(b, device=x.device) * (length - size + 1)).floor().clamp(max=length - 1)
        place = torch.arange(length, device=x.device)
        inside.append((place >= start[:, None]) & (place < (start + size)[:, None]))
    return inside[0][:, :, None] & inside[1][:, None, :]
