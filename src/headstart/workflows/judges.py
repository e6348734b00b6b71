"""How `--objective auto` judges an encoder: without labels by default, by labels where asked.

Without labels an encoder is asked what can be checked of the samples themselves. Do two views of a
sample find one another among those of all others? Of a row of a table, does what it says of the
other columns tell a column that was hidden? Which of the two goes with what labels say was measured
kind by kind (docs/decisions/015).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.data.dataset import Kind
from headstart.data.loader import Loader
from headstart.errors import DivergedError
from headstart.modalities.base import Modality, Strength
from headstart.parts.learner import Learner
from headstart.training.embeddings import retrieval
from headstart.training.probes import Labelled, cross_validated, ridge
from headstart.types import Batch, Spec

CHUNK = 500
NOT_VALIDATED = (
    "on tables no figure without labels was found to order objectives (docs/decisions/015): where"
    " train has labels, --probe judges by them"
)
LOOKED_AT = 2_000  # samples
MOST_COLUMNS = 16  # that are hidden, one after another
# Views must be hard to find, but not so hard that hardly any is: by measurement.
STRENGTHS: dict[Kind, Strength] = {"series": "weak", "text": "weak", "audio": "weak"}


@dataclass
class Judge:
    """How an encoder is judged, and how many labels that looks at.

    note: what to know of such a judgement, for the user.
    """

    name: str
    score: Callable[[Learner], float]
    labels: int = 0
    note: str = ""


def label_free(kind: Kind, modality: Modality, data: Loader) -> Judge:
    """The figure without labels that suits the kind of data best, as far as was measured."""
    x = data.at(0, min(LOOKED_AT, len(data)))[0]
    if kind == "table":
        return columns_told(modality, x)
    return views_found(modality, x, STRENGTHS.get(kind, "strong"))


def views_found(modality: Modality, x: Tensor, strength: Strength = "strong") -> Judge:
    """How often two augmented views of a sample find one another. x: compact `[N, ...]`."""

    def score(learner: Learner) -> float:
        here = x.to(next(learner.parameters()).device)
        one, other = (features(learner, modality.augment(here, strength)) for _ in range(2))
        return retrieval(one, other)

    name = "views found" if strength == "strong" else "weak views found"
    return Judge(name, score)


def columns_told(modality: Modality, x: Tensor) -> Judge:
    """How much of a column a line tells from the code of a row that has another row's value there.

    The mean of R² over columns, at least 0 of each; the line is fitted on one half of the rows and
    asked on the other. Columns that are the same everywhere tell nothing and are left out.
    x: compact rows `[N, F]` of a mixed `Spec`.
    """

    def score(learner: Learner) -> float:
        rows = modality.prepare(x.to(next(learner.parameters()).device))
        shuffled = rows[torch.randperm(len(rows)).to(rows.device)]
        told = []
        for i in torch.randperm(rows.shape[1])[:MOST_COLUMNS].tolist():
            hidden = rows.clone()
            hidden[:, i] = shuffled[:, i]
            told.append(_r2(features(learner, hidden), _target(rows, i, modality.spec).cpu()))
        known = [value for value in told if value is not None]
        return sum(known) / max(1, len(known))

    return Judge("columns told", score, note=NOT_VALIDATED)


def by_labels(modality: Modality, labelled: Labelled, seed: int) -> Judge:
    """A linear probe, cross-validated."""

    def score(learner: Learner) -> float:
        plain = modality.prepare(labelled.x.to(next(learner.parameters()).device))
        return cross_validated(features(learner, plain), labelled, seed)

    return Judge("linear probe", score, len(labelled.x))


@torch.no_grad()
def features(learner: Learner, x: Tensor) -> Tensor:
    """Pooled features `[N, D]` of prepared samples.

    Raises:
        DivergedError: they are not finite.
    """
    parts = [learner.encoder(Batch(part)).pooled for part in torch.split(x, CHUNK)]
    found = torch.cat(parts).float().cpu()
    if not bool(torch.isfinite(found).all()):
        raise DivergedError("training diverged: what the network makes of samples is not finite.")
    return found


def _target(rows: Tensor, column: int, spec: Spec) -> Tensor:
    """A column as a line can tell it, `[N, K]`: the number, or which category it is."""
    if column < spec.numbers:
        return rows[:, column : column + 1].float()
    codes = rows[:, column].long()
    return F.one_hot(codes, spec.cardinalities[column - spec.numbers]).float()


def _r2(z: Tensor, y: Tensor) -> float | None:
    """Of `[N, K]`, told from `[N, D]`; None where there is nothing to tell."""
    half = len(z) // 2
    spread = (y[half:] - y[half:].mean(0)).square().sum()
    if spread == 0:
        return None
    wrong = (y[half:] - ridge(z[:half], y[:half], z[half:])).square().sum()
    return max(0.0, float(1 - wrong / spread))
