"""Validation while training: the best weights are kept, and patience may end the run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from headstart import collectives
from headstart.training.averaging import Average
from headstart.training.progress import Progress
from headstart.training.sharding import Shards
from headstart.training.watching import Validation, Watcher


class ModelSelection:
    """Judges a learner, or the average of its weights if one is kept, and keeps the best."""

    def __init__(self, shards: Shards, average: Average | None, patience: int | None) -> None:
        self.shards = shards
        self.learner, self.trained = shards.learner, shards.trained
        self.average = average
        self.patience = patience
        self.best_weights: dict[str, Tensor] | None = None

    def validate(
        self, validation: Validation, watchers: list[Watcher], at: Progress, seed: int
    ) -> dict[str, float]:
        """Judge, remember in `at` and here if it is the best so far; returns all figures.

        Every process judges alike, on all samples; the first one's figures decide.
        """
        # The same draws each time, so that figures differ by the weights alone.
        torch.default_generator.manual_seed(seed)
        if self.average is not None:
            self.average.swap(self.trained)
        self.learner.eval()
        with self.shards.whole(), torch.no_grad(), collectives.apart():
            figures = validation.run()
            more: dict[str, float] = {}
            for watcher in watchers:
                more |= watcher.on_validate(self.learner, figures)
        figures = collectives.from_first(figures)
        self._compare(validation, figures, at)
        self.learner.train()
        if self.average is not None:
            self.average.swap(self.trained)
        return {**more, **figures}

    def _compare(self, validation: Validation, figures: dict[str, float], at: Progress) -> None:
        newest = validation.direction == "last"
        if newest or not at.best or worth(validation, figures) > worth(validation, at.best):
            at.best, at.best_step, at.stale = figures, at.step, 0
            self.best_weights = {k: v.clone() for k, v in self.trained.state_dict().items()}
        else:
            at.stale += 1
            at.stopped_early = self.patience is not None and at.stale >= self.patience

    def choose(self) -> None:
        """Leave the best weights in the learner; without a validation the average, or the last."""
        if self.best_weights is not None:
            self.trained.load_state_dict(self.best_weights)
        elif self.average is not None:
            self.average.take(self.trained)
        self.shards.end()
        self.learner.eval()

    def state_dict(self) -> dict[str, Any]:
        """The best weights, and the average."""
        average = None if self.average is None else self.average.state_dict()
        return {"best_weights": self.best_weights, "average": average}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Take up what `state_dict` gave."""
        best, average = state["best_weights"], state["average"]
        if best is not None:
            best = {k: v.to(device) for k, v in self.shards.parts(best).items()}
        self.best_weights = best
        if self.average is not None:
            spread = {name: self.shards.parts(weights) for name, weights in average.items()}
            self.average.load_state_dict(spread, device)


def worth(validation: Validation, figures: Mapping[str, float]) -> tuple[float, float]:
    """What figures are compared by, larger is better: the metric, and of equal ones the loss.

    Few samples give few different accuracies. The first weights to reach the best of them are
    seldom the best that do: the rest of training would be thrown away. A figure that is not finite
    is worse than any other: compared as it is, nothing would ever be better than NaN.
    """
    sign = 1.0 if validation.direction == "max" else -1.0
    return _or_worst(sign * figures[validation.metric]), _or_worst(-figures.get("loss", math.inf))


def _or_worst(value: float) -> float:
    return value if math.isfinite(value) else -math.inf
