"""Light and colour: brightness, contrast, saturation, hue and grey as one matrix a picture.

All five are linear in the pixel, so they multiply out to one 3×3 matrix and one offset. Hue turns
the chroma plane of YIQ, the colour space of NTSC; Y is the luma of ITU-R BT.601.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from headstart.modalities.augment.draws import between, chance, rand, randn
from headstart.modalities.strengths import Amounts

LUMA = (0.299, 0.587, 0.114)
TO_YIQ = (LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


def jitter(x: Tensor, amounts: Amounts) -> Tensor:
    """Change light and colour of a share of the pictures, and take the colour from some.

    x: float `[B, C, H, W]` in 0..1; grey pictures have no saturation and no hue to change.
    """
    b, channels = x.shape[:2]
    colours = ("saturation", "hue", "grey") if channels == 3 else ()
    if not any(amounts[name] for name in ("brightness", "contrast", *colours)):
        return x
    touched = chance(b, amounts["jitter_share"], x.device).float()
    bright = 1 + between(b, amounts["brightness"], x.device) * touched
    contrast = 1 + between(b, amounts["contrast"], x.device) * touched
    mean = bright * mean_luma(x)
    if channels != 3:
        gain = bright * contrast
        return _apply_gain(x, gain, (1 - contrast) * mean)
    saturation = 1 + between(b, amounts["saturation"], x.device) * touched
    saturation = saturation * (~chance(b, amounts["grey"], x.device)).float()
    turn = 2 * math.pi * between(b, amounts["hue"], x.device) * touched
    matrix = colour_matrix(saturation, turn) * (bright * contrast).view(-1, 1, 1)
    offset = ((1 - contrast) * mean).view(-1, 1, 1)  # grey, which the colour matrix keeps
    changed = torch.baddbmm(offset, matrix, x.flatten(2))
    return changed.clamp_(0, 1).view(x.shape)


def colour_matrix(saturation: Tensor, turn: Tensor) -> Tensor:
    """RGB → RGB matrices `[B, 3, 3]` that scale chroma by `saturation` and turn it by `turn`.

    saturation: `[B]`, 0 for grey, 1 for no change; turn: `[B]` in radians.
    """
    to_yiq = torch.tensor(TO_YIQ, device=turn.device, dtype=turn.dtype)
    to_rgb = torch.linalg.inv(to_yiq)
    cos, sin = saturation * torch.cos(turn), saturation * torch.sin(turn)
    zero, one = torch.zeros_like(turn), torch.ones_like(turn)
    rows = [one, zero, zero, zero, cos, -sin, zero, sin, cos]
    turned = torch.stack(rows, dim=1).view(-1, 3, 3)
    return to_rgb @ turned @ to_yiq  # type: ignore[no-any-return]


def mean_luma(x: Tensor) -> Tensor:
    """The mean brightness of each picture: `[B]`."""
    means = x.mean(dim=(2, 3))  # [B, C]
    return (
        means @ torch.tensor(LUMA, device=x.device, dtype=x.dtype)
        if x.shape[1] == 3
        else means.mean(1)
    )


def solarise(x: Tensor, amounts: Amounts) -> Tensor:
    """Invert what is brighter than half, in a share of the pictures (as in BYOL)."""
    if not amounts["solarise"]:
        return x
    chosen = chance(len(x), amounts["solarise"], x.device).view(-1, 1, 1, 1)
    return torch.where(chosen & (x >= 0.5), 1 - x, x)


def add_noise(x: Tensor, amounts: Amounts) -> Tensor:
    """Add Gaussian noise whose deviation each picture draws evenly from 0..noise."""
    if not amounts["noise"]:
        return x
    deviation = amounts["noise"] * rand(len(x), 1, 1, 1, device=x.device)
    return torch.addcmul(x, randn(*x.shape, device=x.device), deviation).clamp_(0, 1)


def _apply_gain(x: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    view = (-1, 1, 1, 1)
    return torch.addcmul(offset.view(view), x, gain.view(view)).clamp_(0, 1)
