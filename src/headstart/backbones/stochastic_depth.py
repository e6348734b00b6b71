"""Stochastic depth (Huang et al., 2016, arXiv:1603.09382)."""

from __future__ import annotations

import torch
from torch import Tensor

from headstart import collectives


def skip_branch(branch: Tensor, share: float, *, training: bool) -> Tensor:
    """Leave a residual branch `[B, ...]` out for a share of the samples.

    What remains is scaled up, so that the mean is that of the whole network and evaluation needs
    no correction.
    """
    if not training or share == 0.0:
        return branch
    one_each = branch.new_empty(len(branch), *[1] * (branch.ndim - 1), dtype=torch.float32)
    kept = collectives.rand_like(one_each) >= share
    return branch * kept / (1.0 - share)


def shares(deepest: float, depth: int) -> list[float]:
    """The share at each of `depth` branches, rising in a line to `deepest` (the paper's eq. 4)."""
    return [deepest * (i + 1) / depth for i in range(depth)]
