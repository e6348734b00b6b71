"""Regression that a few wild targets do not spoil (Huber, 1964, doi:10.1214/aoms/1177703732)."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from headstart.settings import Settings, setting
from headstart.tasks.regression import Regression, RegressionConfig


class RobustConfig(RegressionConfig):
    """Where squares end."""

    delta: float = setting(1.0, "deviations beyond which an error counts linearly", flag="")


class RobustRegression(Regression):
    """Squared error near the target, absolute error far from it."""

    Config: ClassVar[type[Settings]] = RobustConfig
    name: ClassVar[str] = "robust-regression"
    metric: str = "mae"

    def __init__(self, config: RobustConfig, dim: int, state: dict[str, float]) -> None:
        super().__init__(config, dim, state)
        self.delta = config.delta

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Huber's loss of standardised answers `[B, 1]` and targets `[B]`."""
        return F.huber_loss(outputs[:, 0], targets, delta=self.delta)
