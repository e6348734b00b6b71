"""Distillation: what one or several finished runs answer teaches one network.

A student that must give the teachers' mean probabilities, not their answers alone, learns what
they think of every class at every sample (Hinton et al., 2015, arXiv:1503.02531), and becomes
about as good as all of them together at the cost of one. It needs no labels, so it learns from
the whole of train; the labels there are count as well.

Teachers have looked at samples as they are, once, before the training; the student sees them
augmented.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from headstart.collectives import mean_over_processes
from headstart.modalities.base import Strength
from headstart.parts.learner import Learner
from headstart.settings import Settings, setting
from headstart.tasks.student import StudentMixin, known_loss
from headstart.tasks.supervised import Supervised
from headstart.types import Batch, Step


class DistillationConfig(Settings):
    """What counts how much, and what the student sees."""

    labels: float = setting(
        0.5, "weight of the labels' own loss, from 0 to 1", flag="", least=0, most=1
    )
    strength: Literal["weak", "strong"] = setting(
        "weak", "augmentation of what the student sees", flag=""
    )
    share: float = setting(0.1, "part of a batch that is labelled", flag="", above=0, below=1)
    copies: int = setting(
        0, "weakly augmented copies of each sample that teachers answer beside it", flag="", least=0
    )


class Distillation(StudentMixin, Learner):  # type: ignore[override]
    """Wraps a fine-tuning. `y` is `[B, L + K]`: the label, or NaN where there is none, and what
    teachers answer.

    wide: L, how many numbers the task encodes a label in.
    """

    Config: ClassVar[type[Settings]] = DistillationConfig
    usual_batch = 256

    def __init__(self, config: DistillationConfig, student: Supervised, wide: int = 1) -> None:
        super().__init__()
        self.wide = wide
        self.config = config
        self.student = student
        self.augment = student.augment

    def strengths(self) -> tuple[Strength, ...]:
        """As the settings say."""
        return (self.config.strength,)

    def labels(self, y: Tensor) -> Tensor:
        """The labels alone, as the task encodes them; those without teachers stay as they are."""
        if y.ndim == 1 or y.shape[1] == self.wide:
            return y
        if self.wide > 1:
            return y[:, : self.wide]
        return y[:, 0].long() if self.student.task.classes_apart else y[:, 0]

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player
        """How far the student's answers are from the teachers', and from the labels."""
        assert batch.y is not None
        task = self.student.task
        outputs = self.student.outputs(batch, encoder_learns=self.student.stage(progress))
        taught = task.divergence(batch.y[:, -outputs.shape[1] :], outputs).mean()
        known = ~batch.y[:, 0].isnan()
        if not (self.config.labels and mean_over_processes(known.float().sum()) > 0):
            return Step.sum(len(batch), teachers=taught)
        labels = known_loss(task, outputs, self.labels(batch.y.nan_to_num()), known)
        return Step.sum(
            len(batch),
            teachers=(1 - self.config.labels) * taught,
            labels=self.config.labels * labels,
        )


def taught(labels: Tensor | None, outputs: Tensor, wide: int = 1) -> Tensor:
    """Labels `[N]` or `[N, L]` beside teachers' outputs `[N, K]`: `[N, L + K]`.

    labels: None where there are none; wide: L.
    """
    first = torch.full((len(outputs), wide), torch.nan) if labels is None else labels.float()
    return torch.cat([first.reshape(len(outputs), wide), outputs.float()], dim=1)
