"""Optimisers that average as they go (schedule-free; Defazio et al., 2024, arXiv:2405.15682).

They train one point, y, and mean another, the average x, to be judged and kept: `to_average`
puts x in the network, `to_iterate` goes back. Going there and back rounds, so whoever goes on
training restores the weights it kept beforehand. Batch-norm statistics belong to y and are taken
again under x.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from headstart.parts.learner import Learner
from headstart.types import Batch


def averages(optimisers: Iterable[Optimizer]) -> bool:
    """Whether any of them means other weights than it trains."""
    return any(callable(getattr(one, "eval", None)) for one in optimisers)


def to_average(optimisers: Iterable[Optimizer]) -> None:
    """Put the averages where the trained weights are."""
    for one in optimisers:
        if averages([one]):
            one.eval()  # type: ignore[attr-defined]


def to_iterate(optimisers: Iterable[Optimizer]) -> None:
    """Put the trained weights back, to rounding."""
    for one in optimisers:
        if averages([one]):
            one.train()  # type: ignore[attr-defined]


@torch.no_grad()
def renew_statistics(learner: Learner, batches: Iterable[Batch], progress: float) -> None:
    """Take the running statistics of batch norm anew, as means over `batches`.

    Layers whose statistics are frozen keep them.
    """
    norms = [m for m in learner.modules() if isinstance(m, _BatchNorm)]
    if not norms:
        return
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # a plain mean, of which the first batch replaces what was there
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.zero_()
    mode = learner.training
    learner.train()
    player = next(iter(learner.players()))
    for batch in batches:
        learner(batch, player=player, progress=progress)
    learner.train(mode)
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
