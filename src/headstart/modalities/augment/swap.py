"""Rows of a table spoilt by other rows' values."""

from __future__ import annotations

import torch
from torch import Tensor

from headstart import collectives


def swapped(x: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """`[B, F]` with a share of the values replaced by other rows', and which: `[B, F]` of bool.

    Rows are those of the global batch, and each column is drawn from its own law in it: the
    corruption of VIME (Yoon et al., 2020) and of SCARF (Bahri et al., 2022, arXiv:2106.15147).
    """
    everyone = collectives.gather(x)
    rows = collectives.local(torch.randint(len(everyone), everyone.shape, device=x.device))
    chosen = collectives.rand_like(x) < share
    return torch.where(chosen, everyone.gather(0, rows), x), chosen
