"""The face every task shows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.settings import Settings


class Task(nn.Module, ABC):
    """A head on pooled features, the loss of its outputs, and how they are judged.

    metric, direction: the figure that chooses the best weights on validation.
    classes_apart: whether targets are classes, of which a label budget takes equal numbers.
    """

    Config: ClassVar[type[Settings]]
    name: ClassVar[str]
    metric: ClassVar[str]
    direction: ClassVar[str]
    classes_apart: ClassVar[bool]
    head: nn.Module

    @classmethod
    @abstractmethod
    def fit(cls, config: Any, targets: NDArray[Any]) -> dict[str, Any]:
        """What the task must know of the targets, as JSON can hold it: classes, mean, ..."""

    @abstractmethod
    def __init__(self, config: Any, dim: int, state: dict[str, Any]) -> None:
        super().__init__()

    @abstractmethod
    def encode(self, targets: NDArray[Any], what: str) -> Tensor:
        """Targets as the source gave them → what `loss` wants, `[N]`.

        Raises:
            UserError: a target is none that train has; `what` names the split.
        """

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of head outputs `[B, K]` against encoded targets `[B]`."""

    @abstractmethod
    def figures(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """The test figures of `result.json` from all outputs `[N, K]` and targets `[N]`."""

    @abstractmethod
    def columns(self, outputs: Tensor) -> dict[str, NDArray[np.generic]]:
        """Columns of a prediction file, each `[N]`: the answer first."""

    @abstractmethod
    def severity(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """How wrong each answer is, `[N]`; 0 for a right one."""

    @abstractmethod
    def verdict(self, output: Tensor, target: Tensor) -> str:
        """Truth → answer of one sample, in a few characters for a plot."""
