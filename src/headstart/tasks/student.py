"""What every learner that wraps a fine-tuning has of the network it wraps.

Its batches hold samples with and without labels. Of several processes each has its own number of
either, so that a mean over the labelled ones of the global batch is no mean of the processes'
means: `shares` and `known_loss` weigh them so that it is.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import Parameter

from headstart.backbones.base import Backbone
from headstart.collectives import mean_over_processes
from headstart.tasks.base import Task
from headstart.tasks.supervised import Supervised


class StudentMixin:
    """Goes before `Learner` among the bases of a class that has a `student`."""

    student: Supervised

    @property
    def encoder(self) -> Backbone:
        """The student's."""
        return self.student.encoder

    def players(self) -> dict[str, list[Parameter]]:
        """The student."""
        return self.student.players()

    def rates(self) -> dict[Parameter, float]:
        """The student's."""
        return self.student.rates()


def shares(counted: Tensor) -> Tensor:
    """Weights `[B]` whose weighted sum, averaged over processes, is a mean over what is counted.

    counted: 1 for a row that counts and 0 for another, `[B]`.
    """
    return counted / mean_over_processes(counted.sum()).clamp(min=1e-6)


def known_loss(task: Task, outputs: Tensor, y: Tensor, known: Tensor) -> Tensor:
    """The task's loss on the rows that have a label, weighed for several processes; 0 with none.

    outputs: `[B, K]`; y: `[B]`; known: which of `y` are labels, `[B]` of bool.
    """
    weight = shares(known.float()).sum()
    if not known.any():
        return 0 * outputs.sum()
    return task.loss(outputs[known], y[known]) * weight
