"""What every learner that wraps a fine-tuning has of the network it wraps."""

from __future__ import annotations

from torch.nn import Parameter

from headstart.backbones.base import Backbone
from headstart.tasks.supervised import Supervised


class OfStudent:
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
