"""Rows of numbers without a network."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.baselines.models import Problem, linear, nearest
from headstart.data.dataset import Samples
from headstart.modalities.base import Modality

USUAL_LEAF = 20  # samples in a leaf of a tree, scikit-learn's; fewer where labels are few


def rows(samples: Samples, modality: Modality) -> NDArray[np.float32]:
    """Samples as the modality standardises them, `[N, F]`."""
    x, _ = modality.tensor(samples, on_bad="skip")
    flat: NDArray[np.float32] = x.flatten(1).float().numpy()
    return flat


class Linear:
    """Regression on the columns. See `base.Baseline`."""

    kinds: ClassVar[frozenset[str]] = frozenset({"table"})

    def features(self, samples: Samples, modality: Modality) -> NDArray[np.float32]:
        """Standardised columns, `[N, F]`."""
        return rows(samples, modality)

    def estimator(self, problem: Problem) -> Any:
        """Logistic or ridge regression."""
        return linear(problem)


class Boosting:
    """Gradient-boosted trees over binned columns (Ke et al., 2017, LightGBM)."""

    kinds: ClassVar[frozenset[str]] = frozenset({"table"})

    def features(self, samples: Samples, modality: Modality) -> NDArray[np.float32]:
        """Standardised columns, `[N, F]`."""
        return rows(samples, modality)

    def estimator(self, problem: Problem) -> Any:
        """Trees small enough for the labels there are."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
        from sklearn.multiclass import OneVsRestClassifier

        leaf = max(1, min(USUAL_LEAF, len(problem.targets) // 20))
        model = HistGradientBoostingClassifier if problem.classes else HistGradientBoostingRegressor
        trees = model(min_samples_leaf=leaf, random_state=problem.seed)
        return OneVsRestClassifier(trees) if problem.several else trees


class Neighbours:
    """The nearest labelled samples."""

    kinds: ClassVar[frozenset[str]] = frozenset({"image", "table"})

    def features(self, samples: Samples, modality: Modality) -> NDArray[np.float32]:
        """Pixels or standardised columns, `[N, F]`."""
        return rows(samples, modality)

    def estimator(self, problem: Problem) -> Any:
        """By Euclid's distance; how many is chosen within the labels."""
        return nearest(problem, "euclidean")
