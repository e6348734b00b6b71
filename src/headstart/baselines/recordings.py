"""Recordings without a network: cepstral coefficients and a support vector machine."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.baselines.models import Problem
from headstart.data.dataset import Samples
from headstart.modalities.audio import Audio
from headstart.modalities.base import Modality

COEFFICIENTS = 20
PARTS = 5  # equal stretches of a recording, each described by its mean
CHUNK = 256
COST = 10.0  # usual for standardised coefficients


class MFCC:
    """Mel-frequency cepstral coefficients (Davis and Mermelstein, 1980) of stretches of time.

    Means of each fifth of a recording say what follows what; the deviations and mean changes of the
    whole, how lively it is.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"audio"})

    def features(self, samples: Samples, modality: Modality) -> NDArray[np.float32]:
        """`[N, 20 · (5 + 2)]`."""
        assert isinstance(modality, Audio)
        x, _ = modality.tensor(samples, on_bad="skip")
        rows = []
        for part in torch.split(x, CHUNK):
            maps, frames = modality.raw_maps(part)
            ends = frames.clamp(min=PARTS).tolist()
            rows += [described(one[:, :n]) for one, n in zip(maps, ends, strict=True)]
        table: NDArray[np.float32] = torch.stack(rows).numpy()
        return table

    def estimator(self, problem: Problem) -> Any:
        """A support vector machine with a radial kernel."""
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVR

        if not problem.classes:
            return make_pipeline(StandardScaler(), SVR(C=COST))
        return MultilabelSVM(problem.seed) if problem.several else SVM(problem.seed)


def described(log_map: Tensor) -> Tensor:
    """A log-mel map `[M, T]` → its description `[20 · (5 + 2)]`."""
    cepstra = cosines(log_map.shape[0], log_map) @ log_map  # [20, T]
    means = [part.mean(dim=1) for part in cepstra.tensor_split(PARTS, dim=1)]
    changes = cepstra.diff(dim=1).abs().mean(dim=1)
    return torch.cat([*means, cepstra.std(dim=1, correction=0), changes])


def cosines(mels: int, like: Tensor) -> Tensor:
    """The discrete cosine transform II, orthonormal: `[20, mels]`."""
    k = torch.arange(COEFFICIENTS, device=like.device)[:, None]
    n = torch.arange(mels, device=like.device)
    table: Tensor = torch.cos(torch.pi * k * (n + 0.5) / mels) * (2 / mels) ** 0.5
    table[0] /= 2**0.5
    return table


class SVM:
    """A standardised support vector machine whose votes stand for probabilities."""

    classes_: NDArray[np.intp]

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, x: Any, y: NDArray[Any]) -> SVM:
        """Learn."""
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        self._model = make_pipeline(StandardScaler(), SVC(C=COST, random_state=self.seed))
        self._model.fit(x, y)
        self.classes_ = self._model.classes_
        return self

    def predict(self, x: Any) -> NDArray[Any]:
        """The class with most votes."""
        answers: NDArray[Any] = self._model.predict(x)
        return answers

    def predict_proba(self, x: Any) -> NDArray[np.float64]:
        """Votes, softened: `[N, K]`."""
        votes = np.asarray(self._model.decision_function(x), dtype=np.float64)
        if votes.ndim == 1:  # two classes have one vote
            votes = np.stack([-votes, votes], axis=1)
        soft = np.exp(votes - votes.max(axis=1, keepdims=True))
        shares: NDArray[np.float64] = soft / soft.sum(axis=1, keepdims=True)
        return shares


class MultilabelSVM:
    """An `SVM` for each of several labels; a label that all or none have needs none."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, x: Any, y: NDArray[Any]) -> MultilabelSVM:
        """Learn. y: `[N, K]` of 0 and 1."""
        self._shares = y.mean(axis=0)
        self._models = [
            SVM(self.seed).fit(x, y[:, k].astype(np.int64)) if 0 < share < 1 else None
            for k, share in enumerate(self._shares)
        ]
        return self

    def predict_proba(self, x: Any) -> NDArray[np.float64]:
        """Of each label, `[N, K]`."""
        columns = [
            np.full(len(x), share) if model is None else model.predict_proba(x)[:, 1]
            for model, share in zip(self._models, self._shares, strict=True)
        ]
        return np.column_stack(columns)
