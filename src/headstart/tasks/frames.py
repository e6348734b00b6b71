"""Answers for the parts of samples: the words of a text, the slices of a sound.

What a task on frames (`Task.framewise`) is given are the tokens that are asked about, moved to the
left; its outputs are `[N, T, K]`, and a sample that has fewer than T frames has NaN in the rest. So
outputs say themselves how long each sample is, through batches, files and averages.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.types import Features


def gathered(features: Features, asked: Tensor | None) -> Features:
    """The tokens that are asked about, each sample's moved to the left.

    features: with tokens `[B, T, D]`. asked: `[B, T]` of bool; None asks about all that are there.

    Returns: tokens `[B, W, D]` and mask `[B, W]`; what a sample has fewer of is not there.
    """
    tokens = features.tokens
    assert tokens is not None  # `Task.dim_of` refuses backbones without
    mask = features.mask if asked is None else asked
    if mask is None:
        mask = tokens.new_ones(tokens.shape[:2], dtype=torch.bool)
    count = mask.sum(dim=1)  # [B]
    width = max(1, int(count.max()))
    order = mask.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :width]
    left = tokens.gather(1, order[:, :, None].expand(-1, -1, tokens.shape[2]))
    there = torch.arange(width, device=tokens.device) < count[:, None]
    return Features(features.pooled, left, there)


def blanked(outputs: Tensor, there: Tensor) -> Tensor:
    """Outputs `[B, T, K]`, NaN where frames are not `there` `[B, T]`; no gradient comes from it."""
    return outputs.masked_fill(~there[:, :, None], torch.nan)


def present(outputs: Tensor) -> Tensor:
    """Which frames of `[..., T, K]` there are: `[..., T]`."""
    return ~outputs[..., 0].isnan()


def lengths(outputs: Tensor) -> Tensor:
    """How many frames each sample of `[N, T, K]` has: `[N]`."""
    return present(outputs).sum(dim=1)


def joined(parts: Sequence[Tensor]) -> Tensor:
    """Outputs of batches, `[B, K]` or `[B, T, K]` of any T, one after another."""
    if parts[0].ndim == 2:
        return torch.cat(list(parts))
    width = max(part.shape[1] for part in parts)
    return torch.cat([F.pad(p, (0, 0, 0, width - p.shape[1]), value=torch.nan) for p in parts])
