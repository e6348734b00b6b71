"""Random amounts, one a picture, drawn from torch's default generator on the batch's device.

Of several processes each draws for the global batch and keeps what is for its own pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor

from headstart import collectives


def rand(*shape: int, device: torch.device) -> Tensor:
    """`[B, ...]` drawn evenly from 0..1."""
    return collectives.rand_like(torch.empty(shape, device=device))


def randn(*shape: int, device: torch.device) -> Tensor:
    """`[B, ...]` of the normal law."""
    return collectives.randn_like(torch.empty(shape, device=device))


def between(b: int, limit: float, device: torch.device) -> Tensor:
    """`[B]` drawn evenly from -limit..limit."""
    return rand(b, device=device).mul_(2 * limit).sub_(limit)


def chance(b: int, share: float, device: torch.device) -> Tensor:
    """`[B]`, true with probability `share`."""
    return rand(b, device=device) < share
