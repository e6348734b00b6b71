"""A teacher: a copy of the student whose weights are a moving average of the student's.

Buffers are not averaged. The statistics of a batch normalisation belong to the weights they were
measured with, so the teacher runs in training mode, without gradients, and measures its own.
"""

from __future__ import annotations

import copy
import math
from typing import TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


def teacher_of(student: M) -> M:
    """A copy that no gradient reaches and no optimiser trains."""
    return copy.deepcopy(student).requires_grad_(requires_grad=False)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Move each weight of the teacher: momentum · teacher + (1 − momentum) · student."""
    mine: list[Tensor] = list(teacher.parameters())
    theirs: list[Tensor] = list(student.parameters())
    torch._foreach_lerp_(mine, theirs, 1 - momentum)


def momentum_at(progress: float, start: float) -> float:
    """1 − (1 − start) · (cos(π · progress) + 1) / 2: from `start` to 1 (BYOL, section 3.3)."""
    return 1 - (1 - start) * (math.cos(math.pi * progress) + 1) / 2
