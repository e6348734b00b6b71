"""The head of tasks that answer for a whole sample: one linear layer on standardised features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from headstart.parts.standard import Standardised


def linear_head(
    dim: int, answers: int, dropout: float, first: Tensor | None = None
) -> nn.Sequential:
    """Features `[B, dim]` → `[B, answers]`, the same for every sample until something is learned.

    dropout: share of features dropped before the linear layer.
    first: what it answers before it has learned anything, `[answers]`; by default 0.
    """
    linear = nn.Linear(dim, answers)
    nn.init.zeros_(linear.weight)
    with torch.no_grad():
        linear.bias.copy_(torch.zeros(answers) if first is None else first)
    return nn.Sequential(Standardised(dim), nn.Dropout(dropout), linear)
