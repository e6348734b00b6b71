"""Random amounts, one a picture, drawn from torch's default generator on the batch's device."""

from __future__ import annotations

import torch
from torch import Tensor


def between(b: int, limit: float, device: torch.device) -> Tensor:
    """`[B]` drawn evenly from -limit..limit."""
    return torch.empty(b, device=device).uniform_(-limit, limit)


def chance(b: int, share: float, device: torch.device) -> Tensor:
    """`[B]`, true with probability `share`."""
    return torch.rand(b, device=device) < share
