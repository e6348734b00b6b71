"""One number a sample."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.errors import UserError
from headstart.settings import Settings, setting
from headstart.tasks.base import Task


class RegressionConfig(Settings):
    """The head's loss."""

    dropout: float = setting(0.0, "share of features dropped before the head", flag="")


class Regression(Task):
    """A linear head on standardised targets, squared error."""

    Config: ClassVar[type[Settings]] = RegressionConfig
    name: ClassVar[str] = "regression"
    metric: str = "mse"
    direction: str = "min"
    classes_apart: ClassVar[bool] = False

    @classmethod
    def fit(cls, config: Any, targets: NDArray[Any]) -> dict[str, Any]:  # noqa: ARG003 - the face
        """Mean and deviation of the targets.

        Raises:
            UserError: they are not numbers, or all the same.
        """
        if targets.dtype.kind not in "iufb":
            raise UserError(
                f"regression needs numbers; the targets are text such as '{targets[0]}'.",
                "Use --task classification, or name another column with --target.",
            )
        deviation = float(targets.std())
        if deviation == 0.0:
            raise UserError(f"there is nothing to learn: every target is {targets[0]}.")
        return {"mean": float(targets.mean()), "std": deviation}

    def __init__(self, config: RegressionConfig, dim: int, state: dict[str, Any]) -> None:
        nn.Module.__init__(self)
        self.mean, self.std = state["mean"], state["std"]
        linear = nn.Linear(dim, 1)
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
        self.head = nn.Sequential(
            nn.BatchNorm1d(dim, affine=False), nn.Dropout(config.dropout), linear
        )

    def encode(self, targets: NDArray[Any], what: str) -> Tensor:
        """Numbers → standardised float32 `[N]`."""
        if targets.dtype.kind not in "iufb":
            raise UserError(f"the {what} split has targets that are not numbers: '{targets[0]}'.")
        standard = (targets.astype(np.float64) - self.mean) / self.std
        return torch.from_numpy(standard.astype(np.float32))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error, both standardised."""
        return F.mse_loss(outputs[:, 0], targets)

    def trivial_loss(self, targets: Tensor) -> float:
        """The variance of targets `[B]`."""
        return float(targets.var(correction=0))

    def divergence(self, wanted: Tensor, outputs: Tensor) -> Tensor:
        """The squared difference: `[B]`."""
        difference: Tensor = wanted - outputs
        return difference[:, 0].square()

    def average(self, outputs: Tensor) -> Tensor:
        """The mean of `[V, N, 1]`."""
        return outputs.mean(dim=0)

    def adopt(self, other: Task, outputs: Tensor, where: str) -> Tensor:  # noqa: ARG002 - all numbers can be
        """The same numbers, standardised as here."""
        assert isinstance(other, Regression)
        own: Tensor = (outputs * other.std + other.mean - self.mean) / self.std
        return own

    def figures(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Errors in the target's own unit, and the share of variance explained."""
        answers = self._own_unit(outputs[:, 0])
        truth = self._own_unit(targets)
        mse = float(((answers - truth) ** 2).mean())
        spread = float(((truth - truth.mean()) ** 2).mean())
        return {
            "mse": mse,
            "rmse": mse**0.5,
            "mae": float(np.abs(answers - truth).mean()),
            "r2": 1.0 - mse / spread if spread > 0 else float("nan"),
            "n": len(truth),
            "mean_predictor_mse": float(((truth - self.mean) ** 2).mean()),
        }

    def columns(self, outputs: Tensor) -> dict[str, NDArray[np.generic]]:
        """`prediction`, in the target's own unit."""
        return {"prediction": self._own_unit(outputs[:, 0])}

    def answers(self, outputs: Tensor) -> dict[str, Tensor]:
        """`prediction` `[B]`, in the target's own unit."""
        return {"prediction": outputs[:, 0] * self.std + self.mean}

    def severity(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The absolute error."""
        error: Tensor = (outputs[:, 0] - targets).abs() * self.std
        return error

    def verdict(self, output: Tensor, target: Tensor) -> str:
        """`12.5 → 9.8`."""
        return f"{self._own_unit(target):.3g} → {self._own_unit(output[0]):.3g}"

    def _own_unit(self, standard: Tensor) -> NDArray[np.float64]:
        values = standard.to(torch.float64).cpu().numpy()
        own: NDArray[np.float64] = values * self.std + self.mean
        return own
