"""The learner that is trained, and the one that is looked at. Without `--shard` they are one.

With it weights, gradients and optimiser states are sharded over processes (`fsdp`). Whoever looks
at a learner from outside (validation, watchers, the report) calls its parts as it likes, which a
sharded network does not bear. So there are two: `trained` takes the steps, and `learner`, the one
that everybody knows, is hollow and is filled with whole weights where it is looked at, and at the
end. Checkpoints hold whole tensors: the same files with one process or many, sharded or not.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from headstart import collectives
from headstart.errors import UserError
from headstart.parts.learner import Learner
from headstart.training.config import TrainingConfig
from headstart.training.schedules import plain_name

if TYPE_CHECKING:
    from headstart.training.fsdp import FullySharded

# Optimisers whose step treats each number alone, so that a part of a tensor is enough.
FIT = (
    "adadelta", "adagrad", "adam", "adamax", "adamw", "asgd", "lion", "nadam", "radam", "rmsprop",
    "rprop", "sgd",
)  # fmt: skip


class Shards:
    """Both learners, and what goes between them.

    Raises:
        UserError: the settings ask for what needs whole tensors.
    """

    def __init__(self, learner: Learner, config: TrainingConfig, device: torch.device) -> None:
        self.learner = self.trained = learner
        self._sharded: FullySharded | None = None
        if config.shard and collectives.world_size() > 1:
            _check(config)
            from headstart.training.fsdp import FullySharded

            self.trained = copy.deepcopy(learner)
            self._sharded = FullySharded(self.trained, device)
            self._hollow()

    @property
    def apart(self) -> bool:
        """Whether weights are sharded over processes."""
        return self._sharded is not None

    # ---------------------------------------------------------------- for optimisers

    def players(self) -> dict[str, list[Parameter]]:
        """What of each player's parameters lies here, as plain parameters."""
        return {n: [self._own(p) for p in own] for n, own in self.trained.players().items()}

    def rates(self) -> dict[Parameter, float]:
        """`Learner.rates` of these."""
        return {self._own(p): rate for p, rate in self.trained.rates().items()}

    def plain(self) -> set[Parameter]:
        """`Learner.plain` of these."""
        return {self._own(p) for p in self.trained.plain()}

    def _own(self, parameter: Parameter) -> Parameter:
        return parameter if self._sharded is None else self._sharded.own[parameter]

    def take_gradients(self) -> None:
        """After backward: give them to the parameters that optimisers know."""
        if self._sharded is not None:
            self._sharded.take_gradients()

    # ---------------------------------------------------------------- for those who look

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Within, `learner` holds the weights of `trained`. All processes enter it together."""
        if self._sharded is None:
            yield
            return
        self._fill()
        try:
            yield
        finally:
            self._hollow()

    def end(self) -> None:
        """Leave the weights in `learner`: training is over."""
        if self._sharded is not None:
            self._fill()

    @torch.no_grad()
    def _fill(self) -> None:
        assert self._sharded is not None
        self._sharded.fill(self.learner)

    def _hollow(self) -> None:
        for parameter in self.learner.parameters():
            parameter.data = parameter.data.new_empty(0)

    # ---------------------------------------------------------------- for checkpoints

    def state_of(self, optimiser: Optimizer) -> dict[str, Any]:
        """An optimiser's state dict; `gathered` knows how its tensors are sharded."""
        state: dict[str, Any] = optimiser.state_dict()
        return state if self._sharded is None else self._sharded.marked(state, optimiser)

    def give(self, optimiser: Optimizer, state: dict[str, Any]) -> None:
        """Let an optimiser take up what `state_of` gave, here or in a checkpoint."""
        if self._sharded is not None:
            state = self._sharded.own_state(state, optimiser)
        optimiser.load_state_dict(state)

    def parts(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of the learner, by name, sharded as they are here."""
        return dict(weights) if self._sharded is None else self._sharded.parts(weights)

    def gathered(self, tree: Any) -> Any:
        """A tree of which tensors are whole; in the first process, what others get is no use.

        All processes call it together.
        """
        return tree if self._sharded is None else self._sharded.gathered(tree)


def _check(config: TrainingConfig) -> None:
    if plain_name(config.optimizer) not in FIT:
        raise UserError(
            f"--shard gives each process parts of tensors, and optimizer {config.optimizer} needs"
            " whole ones.",
            f"Use one of: {', '.join(FIT)}.",
        )
    if config.compile == "on":
        raise UserError("--shard and --compile on do not go together.", "Leave one of them out.")
