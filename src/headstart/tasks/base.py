"""The face every task shows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.errors import UserError
from headstart.settings import Settings
from headstart.types import Spec


class Task(nn.Module, ABC):
    """A head on pooled features, the loss of its outputs, and how they are judged.

    metric, direction: the figure that chooses the best weights on validation; settings may
        change them in an instance.
    calibrates: whether its answers are what labels can calibrate: `calibrated` says what they
        are, `calibration_figure` which of `figures` tells how well they are.
    classes_apart: whether targets are classes, of which a label budget takes equal numbers.
    logits: whether its outputs are logits, by which no loss bends much: a linear machine may take
        the long plain steps of `tasks/lexical.py`, under which squared errors run away.
    framewise: whether it answers for each frame (a word, a slice of sound). Its head is then given
        all `Features`, of the tokens that are asked about; outputs are `[N, T, K]`, with NaN for
        the frames that a sample has not (`tasks/frames.py`), and targets `[N, ...]` of any shape.
    """

    Config: ClassVar[type[Settings]]
    name: ClassVar[str]
    metric: str
    direction: str
    calibrates: bool = False
    calibrated: ClassVar[str] = "probabilities"
    calibration_figure: ClassVar[str] = "ece"
    classes_apart: ClassVar[bool]
    logits: ClassVar[bool] = False
    framewise: ClassVar[bool] = False
    head: nn.Module

    @classmethod
    def dim_of(cls, encoder: Backbone) -> int:
        """D of the features that the head is given.

        Raises:
            UserError: the task answers for tokens, and the backbone has none.
        """
        if not cls.framewise:
            return encoder.dim
        if encoder.token_dim == 0:
            raise UserError(
                f"--task {cls.name} answers for each token; this backbone gives one vector a"
                " sample.",
                "Use a --backbone that has tokens: headstart list backbones.",
            )
        return encoder.token_dim

    @classmethod
    def suits(cls, spec: Spec) -> None:
        """Raises:
        UserError: the task means nothing for such samples.
        """

    @classmethod
    @abstractmethod
    def fit(cls, config: Any, targets: NDArray[Any]) -> dict[str, Any]:
        """What the task must know of the targets, as JSON can hold it: classes, mean, ..."""

    @abstractmethod
    def __init__(self, config: Any, dim: int, state: dict[str, Any]) -> None:
        super().__init__()

    @property
    def answered(self) -> int:
        """K, how many numbers its head gives."""
        linear = [layer for layer in self.head.modules() if isinstance(layer, nn.Linear)]
        return linear[-1].out_features

    @abstractmethod
    def encode(self, targets: NDArray[Any], what: str) -> Tensor:
        """Targets as the source gave them → what `loss` wants, `[N]`.

        Raises:
            UserError: a target is none that train has; `what` names the split.
        """

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of head outputs `[B, K]` against encoded targets `[B]`."""

    def lead(self, outputs: Tensor, targets: Tensor, progress: float) -> Tensor | None:  # noqa: ARG002 - few have one
        """What is learned beside `loss` at first, at `progress` of the training; None for nothing.

        It chooses no weights: validation knows `loss` alone. Blended samples have none, nor have
        those of self-training, distillation and virtual adversarial training.
        """
        return None

    def counted(self, targets: Tensor) -> int:
        """What `loss` is a mean over: samples, or frames that have a target."""
        return len(targets)

    def frames_needed(self, targets: Tensor) -> Tensor | None:  # noqa: ARG002
        """Of a task on frames, the fewest that a sample must have for each of `[N, ...]`: `[N]`.

        None where any number will do.
        """
        return None

    @abstractmethod
    def trivial_loss(self, targets: Tensor) -> float | None:
        """The loss of the best answer that is the same for every sample, encoded targets `[B]`.

        None where that hangs on more than the targets.
        """

    @abstractmethod
    def divergence(self, wanted: Tensor, outputs: Tensor) -> Tensor:
        """How far answers are from those wanted, `[B]`: 0 where alike, smooth about it.

        wanted, outputs: head outputs `[B, K]`; gradients go to both.
        """

    @abstractmethod
    def average(self, outputs: Tensor) -> Tensor:
        """Outputs `[N, K]` whose answer is the mean of the answers that `[V, N, K]` give."""

    @abstractmethod
    def adopt(self, other: Task, outputs: Tensor, where: str) -> Tensor:
        """Outputs `[N, K]` of a task of the same name, as this one would give for the same answers.

        Raises:
            UserError: it answers other things; `where` says whose task it is.
        """

    def calibrate(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:  # noqa: ARG002
        """Suit probabilities to labels not learned from; what changed, for the task's state.

        Nothing, where answers are no probabilities.
        """
        return {}

    @abstractmethod
    def figures(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """The test figures of `result.json` from all outputs `[N, K]` and targets `[N]`."""

    @abstractmethod
    def columns(self, outputs: Tensor) -> dict[str, NDArray[np.generic]]:
        """Columns of a prediction file, each `[N]`: the answer first."""

    def answers(self, outputs: Tensor) -> dict[str, Tensor]:  # noqa: ARG002
        """What a graph without Python gives of outputs `[B, K]`: tensors by name.

        Nothing, where the outputs themselves are all there is to say.
        """
        return {}

    @abstractmethod
    def severity(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """How wrong each answer is, `[N]`; 0 for a right one."""

    def worst(self, outputs: Tensor, targets: Tensor, most: int) -> list[int]:
        """Which answers are most wrong, the worst first; none that is right."""
        severity = self.severity(outputs, targets)
        order = severity.argsort(descending=True, stable=True)[:most]
        found: list[int] = order[severity[order] > 0].tolist()
        return found

    @abstractmethod
    def verdict(self, output: Tensor, target: Tensor) -> str:
        """Truth → answer of one sample, in a few characters for a plot."""
