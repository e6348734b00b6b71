"""Errors over what was measured: what was filled in is asked of nobody."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def weights(x: Tensor) -> Tensor:
    """Of flagged series `[B, 2·C, ...]` (`Spec.flagged`): 1 where a value counts, shaped as `x`.

    A value counts where its flag is up; the flags themselves always.
    """
    there = x[:, x.shape[1] // 2 :]
    return F.pad(there, (0, 0) * (x.ndim - 2) + (0, there.shape[1]), value=1.0)


def squared_error(guess: Tensor, target: Tensor, *, flagged: bool) -> Tensor:
    """Mean squared error of `[B, C, ...]`, of flagged series over what was measured."""
    if not flagged:
        return F.mse_loss(guess, target)
    weight = weights(target)
    return (weight * (guess - target).square()).sum() / weight.sum()


def counted(target: Tensor, *, flagged: bool) -> int:
    """What `squared_error` is a mean over (`Step.weight`): samples, or values that count."""
    return int(weights(target).sum()) if flagged else len(target)


def blind_error(x: Tensor) -> float:
    """The error of answering the mean of what was measured at each place, of flagged series."""
    weight = weights(x)
    mean = (weight * x).sum(dim=0) / weight.sum(dim=0).clamp(min=1)
    return float(squared_error(mean.expand_as(x), x, flagged=True))
