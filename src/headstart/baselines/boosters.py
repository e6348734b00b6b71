"""Gradient boosting by other libraries, where they are installed; with their usual settings."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.baselines.models import Problem
from headstart.baselines.numbers import rows
from headstart.data.dataset import Samples
from headstart.errors import UserError
from headstart.modalities.base import Modality


class _Booster:
    kinds: ClassVar[frozenset[str]] = frozenset({"table"})
    package: ClassVar[str]

    def features(self, samples: Samples, modality: Modality) -> NDArray[np.float32]:
        """Standardised columns, `[N, F]`."""
        return rows(samples, modality)

    def estimator(self, problem: Problem) -> Any:
        """Trees; one model a label where a sample may have several.

        Raises:
            UserError: the library is not installed.
        """
        from sklearn.multiclass import OneVsRestClassifier

        try:
            model = self.trees(problem)
        except ImportError as error:
            raise UserError(
                f"the baseline needs {self.package}, which is not installed.",
                f"Install it: pip install {self.package}",
            ) from error
        return OneVsRestClassifier(model) if problem.several else model

    def trees(self, problem: Problem) -> Any:
        """The library's estimator."""
        raise NotImplementedError


class XGBoost(_Booster):
    """Chen and Guestrin, 2016 (arXiv:1603.02754)."""

    package = "xgboost"

    def trees(self, problem: Problem) -> Any:
        """300 trees at a rate of 0.1."""
        from xgboost import XGBClassifier, XGBRegressor

        model = XGBClassifier if problem.classes else XGBRegressor
        return model(
            n_estimators=300, learning_rate=0.1, max_depth=5, random_state=problem.seed, n_jobs=1
        )


class LightGBM(_Booster):
    """Ke et al., 2017 (NeurIPS 30)."""

    package = "lightgbm"

    def trees(self, problem: Problem) -> Any:
        """300 trees at a rate of 0.05."""
        from lightgbm import LGBMClassifier, LGBMRegressor

        model = LGBMClassifier if problem.classes else LGBMRegressor
        return model(
            n_estimators=300, learning_rate=0.05, random_state=problem.seed, verbose=-1, n_jobs=1,
            min_child_samples=max(1, min(20, len(problem.targets) // 20)),
        )  # fmt: skip
