"""Rows of a table spoilt by other rows' values."""

from __future__ import annotations

import torch
from torch import Tensor

from headstart import collectives


def swapped(x: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """`[B, F]` with a share of the values replaced by other rows', and which: `[B, F]` of bool.

    Each value is replaced or kept by a draw of its own: the corruption of VIME (Yoon et al., 2020).
    """
    others = _others(x)
    chosen = collectives.rand_like(x) < share
    return torch.where(chosen, others, x), chosen


def corrupted(x: Tensor, columns: int) -> Tensor:
    """`[B, F]`, so many values of each row replaced by other rows'.

    The corruption of SCARF (Bahri et al., 2022, arXiv:2106.15147, algorithm 1, lines 3 and 5): as
    many in every row, which ones is drawn row by row.
    """
    others = _others(x)
    order = collectives.rand_like(x).argsort(dim=1)  # of each row, a shuffle of its columns
    chosen = torch.zeros_like(x, dtype=torch.bool).scatter_(1, order[:, :columns], value=True)
    return torch.where(chosen, others, x)


def _others(x: Tensor) -> Tensor:
    """`[B, F]`, each value drawn from its column's law in the global batch."""
    everyone = collectives.gather(x)
    rows = collectives.local(torch.randint(len(everyone), everyone.shape, device=x.device))
    return everyone.gather(0, rows)
