"""The face of a baseline, and its answers in the form that a task's figures score.

model = fit("hog", samples, modality, task, seed=0)
task.figures(model.outputs(test), task.encode(test.targets, "test"))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.baselines import table
from headstart.baselines.models import Estimator, Problem, quietly
from headstart.data.dataset import Samples
from headstart.errors import UserError
from headstart.modalities.base import Modality
from headstart.tasks.base import Task

FAINTEST = 1e-6  # probability: no answer is impossible


class Baseline(Protocol):
    """A description of samples and an estimator on it.

    kinds: the kinds of data it reads (`Dataset.kind`).
    """

    kinds: ClassVar[frozenset[str]]

    def features(self, samples: Samples, modality: Modality) -> Any:
        """Raw samples → what the estimator takes: an array `[N, F]`, or texts.

        modality: fitted on train, without labels.
        """
        ...

    def estimator(self, problem: Problem) -> Estimator:
        """What learns from the features."""
        ...


@dataclass(frozen=True)
class Fitted:
    """A baseline that has learned. outputs: as a task's head would give them, `[N, K]`."""

    baseline: Baseline
    modality: Modality
    model: Answerer

    def outputs(self, samples: Samples) -> Tensor:
        """Logits or standardised numbers for new samples, `[N, K]`."""
        return self.model.outputs(self.baseline.features(samples, self.modality))


@dataclass(frozen=True)
class Answerer:
    """A fitted estimator that answers in a task's terms. width: numbers in an answer."""

    estimator: Estimator
    problem: Problem
    width: int

    def outputs(self, x: Any) -> Tensor:
        """Features → `[N, K]`: logits of classes, or standardised numbers."""
        if not self.problem.classes:
            answers = np.asarray(self.estimator.predict(x), dtype=np.float32)
            return torch.from_numpy(answers.reshape(len(answers), -1))
        shares = self.estimator.predict_proba(x)
        if self.problem.several:
            shares = np.clip(shares, FAINTEST, 1 - FAINTEST)
            return torch.from_numpy(np.log(shares / (1 - shares)).astype(np.float32))
        whole = np.full((len(shares), self.width), FAINTEST)
        whole[:, self.estimator.classes_] = np.maximum(shares, FAINTEST)
        return torch.from_numpy(np.log(whole).astype(np.float32))


def fit(name: str, samples: Samples, modality: Modality, task: Task, seed: int) -> Fitted:
    """Learn from labelled samples.

    task: knows its classes already; seed: of every random choice.

    Raises:
        UserError: there is no baseline of that name, or it does not read such data.
    """
    baseline: Baseline = table.load(name)()
    kind = modality.state()["modality"]
    if kind not in baseline.kinds:
        fit_for = ", ".join(n for n in table if kind in table.load(n).kinds)
        raise UserError(
            f"the baseline '{name}' does not read data of kind '{kind}'.", f"These do: {fit_for}."
        )
    assert samples.targets is not None
    targets = task.encode(samples.targets, "train")
    x = baseline.features(samples, modality)
    return Fitted(baseline, modality, learned(baseline.estimator, x, targets, task, seed))


def learned(make: Any, x: Any, targets: Tensor, task: Task, seed: int) -> Answerer:
    """An estimator fitted on features.

    make: `Problem` → estimator. x: features of N samples; targets: encoded, `[N]` or `[N, K]`.
    """
    y: NDArray[Any] = targets.numpy()
    several = y.ndim == 2 and y.shape[1] > 1
    problem = Problem(y, classes=several or task.classes_apart, several=several, seed=seed)
    estimator = make(problem)
    with quietly():
        estimator.fit(x, y)
    width = len(task.classes) if hasattr(task, "classes") else 1  # type: ignore[arg-type]
    return Answerer(estimator, problem, width)
