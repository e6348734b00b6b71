"""Where views are compared: a small network on top of the encoder, left behind afterwards.

Comparing a projection, not the features themselves, keeps in the features what the comparison
throws away (SimCLR, arXiv:2002.05709, section 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def projector(dim: int, widths: Sequence[int], *, last_norm: bool = False) -> nn.Sequential:
    """Linear layers with batch normalisation and ReLU between them: `[N, dim]` → `[N, widths[-1]]`.

    last_norm: normalise the output as well, without a learned scale, so that no unit of it can
    shrink to a constant unnoticed.
    """
    layers: list[nn.Module] = []
    sizes = list(pairwise([dim, *widths]))
    for narrow, wide in sizes[:-1]:
        # The normalisation has its own shift: a bias before it would do nothing.
        layers += [nn.Linear(narrow, wide, bias=False), nn.BatchNorm1d(wide), nn.ReLU()]
    layers.append(nn.Linear(*sizes[-1], bias=not last_norm))
    if last_norm:
        layers.append(nn.BatchNorm1d(widths[-1], affine=False))
    return nn.Sequential(*layers)
