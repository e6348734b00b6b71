"""The estimators that baselines and probes share; their strength is chosen within the labels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

MOST_SEARCHED = 3_000  # labels by which a strength is chosen: more say the same
FOLDS = 3
STRENGTHS = (0.01, 0.1, 1.0, 10.0)
ALPHAS = tuple(10.0**e for e in range(-3, 5))
NEIGHBOURS = (1, 3, 5, 10, 20)
ITERATIONS = 300


class Estimator(Protocol):
    """What is used of scikit-learn's estimators."""

    classes_: NDArray[np.intp]

    def fit(self, x: Any, y: NDArray[Any]) -> Any:
        """Learn."""
        ...

    def predict(self, x: Any) -> NDArray[Any]:
        """Answers."""
        ...

    def predict_proba(self, x: Any) -> NDArray[np.float64]:
        """Probabilities, `[N, K]`."""
        ...


@dataclass(frozen=True)
class Problem:
    """What is to be learned.

    targets: encoded, `[N]`, or `[N, K]` of 0 and 1; classes: whether they are classes;
    several: whether a sample may have several; seed: of every random choice.
    """

    targets: NDArray[Any]
    classes: bool
    several: bool
    seed: int

    @property
    def fewest(self) -> int:
        """Labels of the rarest class; all labels where there are none."""
        if not self.classes or self.several:
            return len(self.targets)
        return int(np.unique(self.targets, return_counts=True)[1].min())

    def folds(self) -> Any:
        """How to cut the labels to choose by them; None where there are too few."""
        from sklearn.model_selection import KFold, StratifiedKFold

        if self.fewest < FOLDS:
            return None
        cut = StratifiedKFold if self.classes and not self.several else KFold
        return cut(FOLDS, shuffle=True, random_state=self.seed)


def linear(problem: Problem, *before: Any) -> Any:
    """Logistic regression, or ridge regression of numbers, after the steps `before`."""
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    if not problem.classes:
        return make_pipeline(*before, RidgeCV(ALPHAS))
    plain = LogisticRegression(max_iter=ITERATIONS)
    if problem.several:
        return make_pipeline(*before, OneVsRestClassifier(plain))
    whole = make_pipeline(*before, plain)
    return searched(whole, {"logisticregression__C": list(STRENGTHS)}, problem)


def nearest(problem: Problem, metric: str) -> Any:
    """The nearest labelled samples, the nearer the more they count."""
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    model = KNeighborsClassifier if problem.classes else KNeighborsRegressor
    most = len(problem.targets) * (FOLDS - 1) // FOLDS
    counts = [k for k in NEIGHBOURS if k <= max(1, most)]
    plain = model(n_neighbors=1, weights="distance", metric=metric)
    if problem.several:
        return _Several(model(n_neighbors=min(5, len(problem.targets)), metric=metric))
    return searched(plain, {"n_neighbors": counts}, problem)


def searched(model: Any, grid: dict[str, list[Any]], problem: Problem) -> Any:
    """The model with the best of a few settings, told by parts of the labels set apart in turn."""
    folds = problem.folds()
    if folds is None:
        return model
    return _Searched(model, grid, folds, problem)


class _Searched:
    """Chooses on at most `MOST_SEARCHED` labels, then learns from all."""

    def __init__(
        self, model: Any, grid: dict[str, list[Any]], folds: Any, problem: Problem
    ) -> None:
        self._model, self._grid, self._folds, self._problem = model, grid, folds, problem

    def fit(self, x: Any, y: NDArray[Any]) -> None:
        from sklearn.base import clone
        from sklearn.model_selection import GridSearchCV, train_test_split

        some, classes = np.arange(len(y)), self._problem.classes
        if len(y) > MOST_SEARCHED:
            some, _ = train_test_split(
                some,
                train_size=MOST_SEARCHED,
                random_state=self._problem.seed,
                stratify=y if classes else None,
            )
        if classes:  # a class that some fold lacks would leave every setting without a score
            often = some[np.bincount(y[some])[y[some]] >= FOLDS]
            some = often if len(np.unique(y[often])) > 1 else np.arange(len(y))
        rule = "neg_log_loss" if classes else "neg_mean_squared_error"
        if "n_neighbors" in self._grid and classes:
            rule = "accuracy"
        part = x[some] if hasattr(x, "shape") else [x[i] for i in some]
        search = GridSearchCV(self._model, self._grid, cv=self._folds, scoring=rule, refit=False)
        search.fit(part, y[some])
        self._fitted = clone(self._model).set_params(**search.best_params_).fit(x, y)

    @property
    def classes_(self) -> NDArray[np.intp]:
        """As the chosen model has them."""
        found: NDArray[np.intp] = self._fitted.classes_
        return found

    def predict(self, x: Any) -> NDArray[Any]:
        """The chosen model's answers."""
        found: NDArray[Any] = self._fitted.predict(x)
        return found

    def predict_proba(self, x: Any) -> NDArray[np.float64]:
        """The chosen model's probabilities, `[N, K]`."""
        found: NDArray[np.float64] = self._fitted.predict_proba(x)
        return found


class _Several:
    """Neighbours' shares of each of several labels, `[N, K]`."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def fit(self, x: Any, y: NDArray[Any]) -> None:
        self._model.fit(x, y)

    def predict_proba(self, x: Any) -> NDArray[np.float64]:
        each = zip(self._model.predict_proba(x), self._model.classes_, strict=True)
        return np.column_stack([p @ (classes == 1) for p, classes in each])  # maybe one class


@contextmanager
def quietly() -> Iterator[None]:
    """Solvers that stop early are good enough here."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
