"""What a few labels say of an encoder while it trains: a linear probe and nearest neighbours.

Labels are looked at, never learned from: no gradient and no choice of weights depends on them.
They are labels all the same, so probing is off unless asked for (`--probe`), takes them from train
alone, at most a thousand, and the run's result counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from headstart.data import splits
from headstart.parts.learner import Learner
from headstart.training.watching import Watcher
from headstart.types import Batch

if TYPE_CHECKING:
    from headstart.training.engine import Engine

MOST = 1_000  # labels
FOLDS = 5
FEWEST = 20  # with fewer, half of them says nothing
CHUNK = 256
NEIGHBOURS = 20
TEMPERATURE = 0.07  # Wu et al., 2018, arXiv:1805.01978, section 3.4
RIDGE = 1e-2  # of the mean square of a feature


@dataclass(frozen=True)
class Labelled:
    """Samples that encoders are judged by.

    x: compact, `[N, ...]`. targets: `[N]`, class names or numbers. groups: `[N]`, which belong
    together, two at least; None where all stand alone.
    """

    x: Tensor
    targets: NDArray[Any]
    groups: NDArray[Any] | None = None


class Probe(Watcher):
    """Judges embeddings by labels: fitted on one half of the labelled samples, told on the other.

    No group is in both halves, where there are two.
    """

    def __init__(self, labelled: Labelled) -> None:
        targets, groups = labelled.targets, labelled.groups
        self._compact = labelled.x
        rows = np.arange(len(targets))
        self._halves = np.array_split(rows, 2)
        if groups is not None:
            self._halves = list(splits.by_groups(groups, 0.5, seed=0))
        self._x: Tensor | None = None
        values: Tensor
        self._classes = targets.dtype.kind != "f"
        if self._classes:
            _, codes = np.unique(targets, return_inverse=True)
            values = torch.from_numpy(codes).long()
        else:
            values = torch.from_numpy(targets.astype(np.float64)).float()
        self._y = values

    def __len__(self) -> int:
        return len(self._compact)

    def on_start(self, engine: Engine) -> None:
        """Put the samples where the encoder is."""
        self._x = engine.plain(self._compact).x
        self._y = self._y.to(self._x.device)

    def on_validate(self, learner: Learner, figures: dict[str, float]) -> dict[str, float]:  # noqa: ARG002 - the face
        """`probe_linear_accuracy` and `probe_knn_accuracy`; R² where targets are fractions."""
        if self._x is None:
            return {}
        parts = [learner.encoder(Batch(part)).pooled for part in torch.split(self._x, CHUNK)]
        z = torch.cat(parts).float()
        fit, told = self._halves
        y = F.one_hot(self._y).float() if self._classes else self._y[:, None]
        answers = {
            "linear": ridge(z[fit], y[fit], z[told]),
            "knn": neighbours(z[fit], y[fit], z[told]),
        }
        if self._classes:
            return {
                f"probe_{name}_accuracy": float((a.argmax(1) == self._y[told]).float().mean())
                for name, a in answers.items()
            }
        spread = (y[told] - y[told].mean()).square().mean()
        return {
            f"probe_{name}_r2": float(1 - (y[told] - a).square().mean() / spread)
            for name, a in answers.items()
        }


def draw(labelled: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """At most a thousand of the labelled rows, in a drawn order."""
    return np.random.default_rng(seed).permutation(labelled)[:MOST]


def cross_validated(z: Tensor, labelled: Labelled, seed: int) -> float:
    """Accuracy, or R² of fractions, of a linear probe on labels that it was not fitted on.

    z: of `labelled`, `[N, D]`. Each label is told from the others' folds, of which there are no
    more than the rarest class has labels, or than there are groups. Where the others are all of
    one class, that one is answered.
    """
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = z.detach().cpu().double().numpy()
    targets, groups = labelled.targets, labelled.groups
    classes = targets.dtype.kind != "f"
    fewest = int(np.unique(targets, return_counts=True)[1].min()) if classes else len(x)
    most = len(x) if groups is None else len(np.unique(groups))
    count = min(FOLDS, most, fewest if fewest >= 2 else most)
    cut = splits.folds(count, targets if classes else None, groups, size=len(x), seed=seed)
    scores = []
    for kept, held in cut:
        probe: Any = LogisticRegression(C=0.1, max_iter=2_000) if classes else Ridge(alpha=10.0)
        if classes and len(np.unique(targets[kept])) < 2:
            probe = DummyClassifier()
        model = make_pipeline(StandardScaler(), probe).fit(x[kept], targets[kept])
        scores.append(model.score(x[held], targets[held]))
    return float(np.mean(scores))


def ridge(z: Tensor, y: Tensor, new: Tensor) -> Tensor:
    """Ridge regression of `y` `[N, K]` on standardised `z` `[N, D]`, answered for `[M, D]`."""
    mean, deviation = z.mean(0), z.std(0, correction=0).clamp_min(1e-6)
    z, new = (z - mean) / deviation, (new - mean) / deviation
    penalty = RIDGE * len(z) * torch.eye(z.shape[1], device=z.device)
    weights = torch.linalg.solve(z.T @ z + penalty, z.T @ (y - y.mean(0)))  # [D, K]
    answers: Tensor = new @ weights + y.mean(0)
    return answers


def neighbours(z: Tensor, y: Tensor, new: Tensor) -> Tensor:
    """Mean of `y` `[N, K]` over the nearest by cosine, weighted by exp(cosine / temperature)."""
    cosine = F.normalize(new, dim=1) @ F.normalize(z, dim=1).T  # [M, N]
    near, index = cosine.topk(min(NEIGHBOURS, len(z)), dim=1)
    weight = torch.softmax(near / TEMPERATURE, dim=1)  # [M, k]
    mean: Tensor = (weight[:, :, None] * y[index]).sum(dim=1)
    return mean
