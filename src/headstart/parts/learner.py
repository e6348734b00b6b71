"""The one face through which the engine trains an objective or a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import Parameter

from headstart.backbones.base import Backbone
from headstart.modalities.base import Strength
from headstart.settings import Settings
from headstart.types import Batch, SampleKind, Step


class Learner(nn.Module, ABC):
    """Something that turns batches into losses.

    reads: kinds of `Spec` that it can learn from, as far as its backbone can.
    views: augmented copies of each sample that it wants; with more than one it always gets them.
    augment: whether the samples of a batch should be augmented.
    clean: whether it also wants them as they were (`Batch.clean`).
    packs: whether it takes any stretch of text, so that texts may share a row without padding.
    compares: whether its loss compares the samples of a batch with one another; with several views
        it does.
    usual_batch: the batch size where none is asked for; None leaves it to the number of samples.
    usual_lr: the peak rate of the default optimiser where none is asked for.
    chases: whether its target moves with it, as a teacher does: its loss need not fall, and the
        last weights are kept, for the lowest loss may be that of a collapse.
    encoder: what fine-tuning starts from.
    """

    Config: ClassVar[type[Settings]]
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"continuous"})
    views: int = 1
    needs: ClassVar[type[Backbone]] = Backbone  # type: ignore[type-abstract]
    usual_batch: ClassVar[int | None] = None
    usual_lr: ClassVar[float | None] = None
    chases: ClassVar[bool] = False
    compares: ClassVar[bool] = False
    augment: bool = False
    clean: bool = False
    packs: ClassVar[bool] = False
    encoder: Backbone

    def players(self) -> dict[str, list[Parameter]]:
        """Parameters by player; each has its own optimiser and its own step a batch."""
        return {"all": [p for p in self.parameters() if p.requires_grad]}

    def strengths(self) -> tuple[Strength, ...]:
        """How strongly each view is augmented."""
        every: Strength = "weak" if self.views == 1 else "strong"
        return (every,) * self.views

    def rates(self) -> dict[Parameter, float]:
        """Multipliers of the learning rate for parameters that do not take it whole."""
        gentle = [m for m in self.modules() if isinstance(m, Backbone) and m.rate != 1.0]
        return {parameter: m.rate for m in gentle for parameter in m.parameters()}

    def plain(self) -> set[Parameter]:
        """Parameters that should move in proportion to their gradient: those of linear machines."""
        own = [m for m in self.modules() if getattr(m, "plain", False) is True]
        return {parameter for m in own for parameter in m.parameters()}

    @abstractmethod
    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:
        """The loss of `player` on `batch`; `progress` runs from 0 to 1 over the training."""

    def after_step(self, progress: float) -> None:
        """Called when every player has stepped: moving averages, queues."""

    def score(self, batch: Batch) -> dict[str, Tensor]:
        """Validation figures of one batch, each a mean over its samples."""
        step = self(batch, player=next(iter(self.players())), progress=1.0)
        return {"loss": step.loss.detach(), **step.logs}

    def trivial_loss(self, batch: Batch) -> float | None:  # noqa: ARG002
        """The loss of the best answer that ignores its input; None where that means nothing."""
        return None

    def project(self, batch: Batch) -> Tensor | None:  # noqa: ARG002
        """Where it compares samples, `[B, P]`; None when it compares none."""
        return None

    def reconstruct(self, batch: Batch) -> tuple[Tensor, Tensor] | None:  # noqa: ARG002
        """What it saw and what it gave back, `[B, ...]` each; None when it gives nothing back."""
        return None

    def sample(self, count: int) -> Tensor | None:  # noqa: ARG002
        """New samples `[count, ...]`; None when it makes none."""
        return None


def mean_scores(learner: Learner, batches: Iterable[Batch]) -> tuple[dict[str, float], int]:
    """`Learner.score` of all samples of some batches, and how many these are."""
    totals: dict[str, float] = {}
    count = 0
    for batch in batches:
        count += len(batch)
        for name, value in learner.score(batch).items():
            totals[name] = totals.get(name, 0.0) + float(value) * len(batch)
    return {name: total / count for name, total in totals.items()}, count
