"""Series without a network: their steps, or what statistics say of their course."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.baselines.models import Problem, linear
from headstart.baselines.numbers import boosting
from headstart.data.dataset import Samples
from headstart.modalities.base import Modality

KINDS = frozenset({"series"})
FREQUENCIES = 64  # the lowest, of each channel
SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)  # quantiles of values and of their changes


def prepared(samples: Samples, modality: Modality) -> NDArray[np.float32]:
    """Series normalised and filled, `[N, C or 2·C, T]`."""
    x, _ = modality.tensor(samples, on_bad="skip")
    parts = [modality.prepare(part).numpy() for part in torch.split(x, 512)]
    return np.concatenate(parts)


def course(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """What does not hang on when a thing happens: `[N, C, T]` → `[N, F]`.

    Quantiles, mean and deviation of each channel's values and of their changes from step to step,
    and the strengths of its lowest frequencies.
    """
    parts = []
    for values in (x, np.diff(x, axis=2)):
        parts += [values.mean(axis=2), values.std(axis=2)]
        parts += list(np.quantile(values, SHARES, axis=2))
    strengths = np.abs(np.fft.rfft(x, axis=2))[:, :, 1 : FREQUENCIES + 1]
    flat = [part.reshape(len(x), -1) for part in (*parts, strengths)]
    return np.concatenate(flat, axis=1).astype(np.float32)


class Steps:
    """Regression on the values of all steps. See `base.Baseline`."""

    kinds: ClassVar[frozenset[str]] = KINDS

    def features(self, samples: Samples, modality: Modality) -> NDArray[np.float32]:
        """`[N, C·T]`."""
        x = prepared(samples, modality)
        return x.reshape(len(x), -1)

    def estimator(self, problem: Problem) -> Any:
        """Logistic or ridge regression."""
        return linear(problem)


class Course:
    """Boosted trees on statistics of a series. See `base.Baseline`."""

    kinds: ClassVar[frozenset[str]] = KINDS

    def features(self, samples: Samples, modality: Modality) -> NDArray[np.float32]:
        """`[N, F]`, see `course`."""
        return course(prepared(samples, modality))

    def estimator(self, problem: Problem) -> Any:
        """Trees small enough for the labels there are."""
        return boosting(problem)
