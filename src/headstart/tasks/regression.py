"""One number a sample, and how sure of it.

squared: the mean (least squares). huber: the mean, with errors beyond a bound counted linearly
(Huber, 1964, doi:10.1214/aoms/1177703732). quantile: the median and the two ends of an interval
(Koenker and Bassett, 1978, doi:10.2307/1913643); where labels validate, the interval is widened or
narrowed until it holds as many of them as it should (Romano et al., 2019, arXiv:1905.03222).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.errors import UserError
from headstart.settings import Settings, setting
from headstart.tasks import scales
from headstart.tasks.base import Task
from headstart.tasks.heads import linear_head


class RegressionConfig(Settings):
    """The loss, the scale that is learned on, and the head."""

    loss: Literal["squared", "huber", "quantile"] = setting(
        "squared",
        "squared: the mean; huber: the mean, far errors counting less; quantile: the median and an"
        " interval",
        flag="",
    )
    huber: float = setting(
        1.0, "error from which huber's loss is linear, in deviations", flag="", above=0
    )
    interval: float = setting(
        0.9, "share of samples that a quantile interval should hold", flag="", above=0, below=1
    )
    scale: scales.Scale = setting(
        "standard",
        "what targets are learned on: standard, log, rank; auto: log where positive and skewed",
        flag="",
    )
    dropout: float = setting(
        0.0, "share of features dropped before the head", flag="", least=0, below=1
    )


class Regression(Task):
    """A linear head on scaled targets. Of a quantile regression `[N, 3]`: median, low, high."""

    Config: ClassVar[type[Settings]] = RegressionConfig
    name: ClassVar[str] = "regression"
    metric: str = "mse"
    direction: str = "min"
    calibrated: ClassVar[str] = "intervals"
    calibration_figure: ClassVar[str] = "coverage"
    classes_apart: ClassVar[bool] = False

    @classmethod
    def fit(cls, config: RegressionConfig, targets: NDArray[Any]) -> dict[str, Any]:
        """The scale of the targets, and their mean.

        Raises:
            UserError: they are not numbers, or all the same, or below 0 where logarithms are asked.
        """
        if targets.dtype.kind not in "iufb":
            raise UserError(
                f"regression needs numbers; the targets are text such as '{targets[0]}'.",
                "Use --task classification, or name another column with --target.",
            )
        if float(targets.std()) == 0.0:
            raise UserError(f"there is nothing to learn: every target is {targets[0]}.")
        if config.scale == "log" and targets.min() < 0:
            raise UserError(
                f"task.scale=log needs targets that are never below 0; one is {targets.min()}.",
                "Use --set task.scale=rank.",
            )
        own = targets.astype(np.float64)
        return {**scales.fit_scale(own, config.scale), "average": float(own.mean())}

    def __init__(self, config: RegressionConfig, dim: int, state: dict[str, Any]) -> None:
        """Raises:
        UserError: a setting is out of range.
        """
        nn.Module.__init__(self)
        self.config = config
        self.state = state
        self.calibrates = config.loss == "quantile"
        tail = (1 - config.interval) / 2
        self.levels = (0.5, tail, 1 - tail) if self.calibrates else ()
        self.widening = float(state.get("widening", 0.0))
        self.head = linear_head(dim, max(1, len(self.levels)), config.dropout)

    def encode(self, targets: NDArray[Any], what: str) -> Tensor:
        """Numbers → scaled float32 `[N]`."""
        if targets.dtype.kind not in "iufb":
            raise UserError(f"the {what} split has targets that are not numbers: '{targets[0]}'.")
        scaled = scales.forward(targets.astype(np.float64), self.state)
        return torch.from_numpy(scaled.astype(np.float32))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean loss, outputs and targets scaled."""
        if self.config.loss == "quantile" and outputs.shape[1] == len(self.levels):
            return pinball(outputs, targets, self.levels)
        if self.config.loss == "huber":
            return F.huber_loss(outputs[:, 0], targets, delta=self.config.huber)
        return F.mse_loss(outputs[:, 0], targets)

    def trivial_loss(self, targets: Tensor) -> float:
        """The loss of the mean, or of the quantiles, of targets `[B]`."""
        if self.levels:
            best = torch.quantile(targets, torch.tensor(self.levels).to(targets))
            return float(pinball(best.expand(len(targets), -1), targets, self.levels))
        return float(self.loss(targets.mean().expand(len(targets), 1), targets))

    def divergence(self, wanted: Tensor, outputs: Tensor) -> Tensor:
        """The squared difference: `[B]`."""
        difference: Tensor = wanted - outputs
        return difference[:, 0].square()

    def average(self, outputs: Tensor) -> Tensor:
        """The mean of `[V, N, K]`."""
        return outputs.mean(dim=0)

    def adopt(self, other: Task, outputs: Tensor, where: str) -> Tensor:  # noqa: ARG002 - all numbers can be
        """The same numbers, scaled as here."""
        assert isinstance(other, Regression)
        scaled = scales.forward(other.own_unit(outputs), self.state)
        return torch.from_numpy(scaled.astype(np.float32)).to(outputs)

    def calibrate(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """How much wider each side of the interval must be to hold as many as it should.

        The ⌈(n + 1) · interval⌉-th smallest of how far labels lie outside (below 0: inside).
        """
        outside = torch.maximum(outputs[:, 1] - targets, targets - outputs[:, 2]).sort().values
        rank = math.ceil((len(outside) + 1) * self.config.interval) - 1
        self.widening = float(outside[min(rank, len(outside) - 1)])
        return {"widening": self.widening}

    def figures(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Errors in the target's own unit, and the share of variance explained."""
        answers = self.own_unit(outputs[:, 0])
        truth = self.truth(targets)
        mse = float(((answers - truth) ** 2).mean())
        spread = float(((truth - truth.mean()) ** 2).mean())
        average = self.state.get("average", self.state["mean"])
        figures = {
            "mse": mse,
            "rmse": mse**0.5,
            "mae": float(np.abs(answers - truth).mean()),
            "r2": 1.0 - mse / spread if spread > 0 else float("nan"),
            "n": len(truth),
            "mean_predictor_mse": float(((truth - average) ** 2).mean()),
        }
        if self.levels and outputs.shape[1] == len(self.levels):
            low, high = (_array(end) for end in self._ends(outputs.double()))
            figures["coverage"] = float(((low <= truth) & (truth <= high)).mean())
            figures["interval_width"] = float((high - low).mean())
        return figures

    def columns(self, outputs: Tensor) -> dict[str, NDArray[np.generic]]:
        """`prediction`, in the target's own unit; `low` and `high` where there is an interval."""
        return {name: _array(values) for name, values in self.answers(outputs.double()).items()}

    def answers(self, outputs: Tensor) -> dict[str, Tensor]:
        """`prediction` `[B]`, in the target's own unit; `low` and `high` of an interval."""
        found = {"prediction": scales.back(outputs[:, 0], self.state)}
        if self.levels:
            found["low"], found["high"] = self._ends(outputs)
        return found

    def severity(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The absolute error."""
        error = np.abs(self.own_unit(outputs[:, 0]) - self.truth(targets))
        return torch.from_numpy(error.astype(np.float32))

    def verdict(self, output: Tensor, target: Tensor) -> str:
        """`12.5 → 9.8`."""
        return f"{float(self.truth(target)):.3g} → {float(self.own_unit(output[0])):.3g}"

    def own_unit(self, scaled: Tensor) -> NDArray[np.float64]:
        """Answers → the target's own unit, of any shape."""
        return _array(scales.back(scaled.double(), self.state))

    def truth(self, scaled: Tensor) -> NDArray[np.float64]:
        """Encoded targets → what they were, of any shape."""
        return _array(scales.undone(scaled.double(), self.state))

    def _ends(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Of the interval, in the target's own unit; neither beyond the median."""
        median = outputs[:, 0]
        low = torch.minimum(outputs[:, 1] - self.widening, median)
        high = torch.maximum(outputs[:, 2] + self.widening, median)
        return scales.back(low, self.state), scales.back(high, self.state)


def _array(values: Tensor) -> NDArray[np.float64]:
    whole: NDArray[np.float64] = values.detach().cpu().numpy()
    return whole


def pinball(outputs: Tensor, targets: Tensor, levels: tuple[float, ...]) -> Tensor:
    """Mean quantile loss: an answer too low by d costs level · d, one too high (1 − level) · d.

    outputs: `[B, Q]`; targets: `[B]`.
    """
    level = torch.tensor(levels).to(outputs)
    short = targets[:, None] - outputs
    return torch.maximum(level * short, (level - 1) * short).mean()
