"""Rows of numbers without a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.baselines.models import Problem, linear, nearest
from headstart.data.dataset import Samples
from headstart.modalities.base import Modality
from headstart.types import Spec

MOST_VALUES = 255  # of a category; the trees hold no more
USUAL_LEAF = 20  # samples in a leaf of a tree, scikit-learn's; fewer where labels are few


def rows(samples: Samples, modality: Modality) -> NDArray[np.float32]:
    """Samples as the modality standardises them, `[N, F]`."""
    x, _ = modality.tensor(samples, on_bad="skip")
    flat: NDArray[np.float32] = x.flatten(1).float().numpy()
    return flat


def one_hot(x: NDArray[np.float32], spec: Spec) -> NDArray[np.float32]:
    """Columns of a mixed sample `[N, F]`: numbers as they are, 0 or 1 for each value of others."""
    parts = [x[:, : spec.numbers]]
    for i, count in enumerate(spec.cardinalities):
        codes = np.minimum(x[:, spec.numbers + i].astype(np.intp), MOST_VALUES)
        parts.append(np.eye(min(count, MOST_VALUES + 1), dtype=np.float32)[codes])
    return np.concatenate(parts, axis=1)


class Linear:
    """Regression on the columns. See `base.Baseline`."""

    kinds: ClassVar[frozenset[str]] = frozenset({"table"})

    def features(self, samples: Samples, modality: Modality) -> NDArray[np.float32]:
        """Standardised columns, categories one-hot: `[N, F]`."""
        return one_hot(rows(samples, modality), modality.spec)

    def estimator(self, problem: Problem) -> Any:
        """Logistic or ridge regression."""
        return linear(problem)


class Boosting:
    """Gradient-boosted trees over binned columns (Ke et al., 2017, LightGBM)."""

    kinds: ClassVar[frozenset[str]] = frozenset({"table"})

    def features(self, samples: Samples, modality: Modality) -> NDArray[np.float32]:
        """Standardised columns, `[N, F]`; which are categories is remembered for the trees."""
        spec = modality.spec
        few = [i for i, n in enumerate(spec.cardinalities) if n <= MOST_VALUES]
        self.categories = [spec.numbers + i for i in few]
        return rows(samples, modality)

    def estimator(self, problem: Problem) -> Any:
        """Trees small enough for the labels there are."""
        return boosting(problem, self.categories)


class Neighbours:
    """The nearest labelled samples."""

    kinds: ClassVar[frozenset[str]] = frozenset({"image", "table"})

    def features(self, samples: Samples, modality: Modality) -> NDArray[np.float32]:
        """Pixels or standardised columns, `[N, F]`."""
        return rows(samples, modality)

    def estimator(self, problem: Problem) -> Any:
        """By Euclid's distance; how many is chosen within the labels."""
        return nearest(problem, "euclidean")


def boosting(problem: Problem, categories: Sequence[int] = ()) -> Any:
    """Trees small enough for the labels there are; categories: columns that are none but codes."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.multiclass import OneVsRestClassifier

    leaf = max(1, min(USUAL_LEAF, len(problem.targets) // 20))
    model = HistGradientBoostingClassifier if problem.classes else HistGradientBoostingRegressor
    trees = model(
        min_samples_leaf=leaf,
        random_state=problem.seed,
        categorical_features=list(categories) or None,
    )
    return OneVsRestClassifier(trees) if problem.several else trees
