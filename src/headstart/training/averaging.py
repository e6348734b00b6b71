"""Which weights are judged and kept: the last ones, a moving average, or the optimiser's own.

Schedule-free optimisers (Defazio et al., 2024, arXiv:2405.15682) train one point, y, and mean
another, the average x. Going from one to the other and back rounds, so the trained weights are put
back from a copy. Batch-norm statistics belong to y and are taken anew under x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from headstart import collectives
from headstart.errors import UserError
from headstart.parts.learner import Learner
from headstart.training.config import TrainingConfig
from headstart.training.ema import MovingAverage
from headstart.types import Batch

RENEWED = 20  # batches that statistics are a mean over
Batches = Callable[[int], Iterator[tuple[Batch, float]]]  # and how far training is


class Average(Protocol):
    """Other weights than those that are trained."""

    def update(self, module: Learner, step: int) -> None:
        """Take in the weights after `step` steps."""

    def swap(self, module: Learner) -> None:
        """Exchange the weights of the module and the average; a second call undoes the first."""

    def take(self, module: Learner) -> None:
        """Leave the average in the module: training is over."""

    def state_dict(self) -> dict[str, Any]:
        """What it needs to go on after a resume."""

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Take up what `state_dict` gave."""


def average_of(
    learner: Learner, config: TrainingConfig, optimisers: Iterable[Optimizer], batches: Batches
) -> Average | None:
    """The average that the settings ask for; None where the trained weights are meant.

    batches: gives the first so many batches of the training.

    Raises:
        UserError: an average was asked for of weights that the optimiser averages itself.
    """
    own = [one for one in optimisers if callable(getattr(one, "eval", None))]
    if own and config.ema:
        raise UserError(
            f"optimizer {config.optimizer} averages weights itself.", "Leave training.ema at 0."
        )
    if own:
        return OptimisersAverage(own, batches)
    return MovingAverage(learner, config.ema) if config.ema else None


class OptimisersAverage:
    """The average that schedule-free optimisers keep."""

    def __init__(self, optimisers: list[Optimizer], batches: Batches) -> None:
        self._optimisers = optimisers
        self._batches = batches
        self._trained: dict[str, Tensor] | None = None

    def update(self, module: Learner, step: int) -> None:
        """The optimisers do that."""

    def swap(self, module: Learner) -> None:
        """Exchange the trained weights and the average."""
        if self._trained is None:
            self._trained = {k: v.clone() for k, v in module.state_dict().items()}
            self.take(module)
            return
        for one in self._optimisers:
            one.train()  # type: ignore[attr-defined]
        module.load_state_dict(self._trained)
        self._trained = None

    def take(self, module: Learner) -> None:
        """Leave the average in the module, with statistics of its own."""
        for one in self._optimisers:
            one.eval()  # type: ignore[attr-defined]
        with collectives.apart():
            renew_statistics(module, self._batches(RENEWED))

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the optimisers keep it."""
        return {}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Nothing to take up."""


@torch.no_grad()
def renew_statistics(learner: Learner, batches: Iterable[tuple[Batch, float]]) -> None:
    """Take the running statistics of batch norm anew, as means over `batches`.

    Layers whose statistics are frozen keep them.
    """
    norms = [m for m in learner.modules() if isinstance(m, _BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # a plain mean, of which the first batch replaces what was there
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.zero_()
    was_training = learner.training
    learner.train()
    player = next(iter(learner.players()))
    for batch, progress in batches:
        learner(batch, player=player, progress=progress)
    learner.train(was_training)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
