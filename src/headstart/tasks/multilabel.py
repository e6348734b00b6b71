"""Several labels a sample, or none: each is a question of its own, answered yes or no.

A target is the names of a sample's labels in one string, parted by `|`; `|` alone says that it has
none of them, and an empty cell that nobody knows. Learned by binary cross-entropy over all labels;
a label is answered where its probability reaches `threshold`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.data.records import SEVERAL
from headstart.errors import UserError
from headstart.settings import Settings, setting
from headstart.tasks.base import Task
from headstart.tasks.heads import linear_head

MOST_SHOWN = 30  # labels whose F1 is told one by one
MOST = 10_000  # more names than these are no labels
FAINT = 1e-4  # share that a label has at least, where a bias begins


class MultiLabelConfig(Settings):
    """The head's loss, and what counts as an answer."""

    threshold: float = setting(
        0.5, "probability from which a label is answered", flag="", above=0, below=1
    )
    dropout: float = setting(
        0.0, "share of features dropped before the head", flag="", least=0, below=1
    )
    balance: Literal["none", "weights"] = setting(
        "none", "weights: of each label, having it counts as much as not having it", flag=""
    )
    metric: Literal["micro_f1", "macro_f1", "mean_average_precision", "exact_match"] = setting(
        "micro_f1", "the figure that chooses the best weights", flag=""
    )


class MultiLabel(Task):
    """A linear head, a logit for each label."""

    Config: ClassVar[type[Settings]] = MultiLabelConfig
    name: ClassVar[str] = "multilabel"
    direction: str = "max"
    classes_apart: ClassVar[bool] = False
    logits: ClassVar[bool] = True

    @classmethod
    def fit(cls, config: Any, targets: NDArray[Any]) -> dict[str, Any]:  # noqa: ARG003 - the face
        """The labels there are, sorted, and how many samples have each.

        Raises:
            UserError: there are fewer than two, or targets are fractions.
        """
        if targets.dtype.kind == "f":
            raise UserError("the targets are fractions, not labels.", "Use --task regression.")
        rows = [names_in(target) for target in targets.tolist()]
        names, counts = np.unique([name for row in rows for name in row], return_counts=True)
        if len(names) < 2:
            raise UserError(
                f"multilabel needs two labels; the targets have {', '.join(names) or 'none'}.",
                f"Several labels of a sample are parted by {SEVERAL}, as in cat{SEVERAL}dog.",
            )
        if len(names) > MOST:
            raise UserError(
                f"the targets hold {len(names):,} different names, such as '{names[0]}': these are"
                " no labels."
            )
        return {"classes": names.tolist(), "counts": counts.tolist(), "samples": len(rows)}

    def __init__(self, config: MultiLabelConfig, dim: int, state: dict[str, Any]) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.metric = config.metric
        self.classes: list[str] = state["classes"]
        share = torch.tensor(state["counts"]) / max(1, state["samples"])
        share = share.clamp(FAINT, 1 - FAINT)
        self.weight = (1 - share) / share if config.balance == "weights" else None
        # Begins with the best answer that is the same for all samples.
        first = share.logit() if self.weight is None else None
        self.head = linear_head(dim, len(self.classes), config.dropout, first)

    def encode(self, targets: NDArray[Any], what: str) -> Tensor:  # noqa: ARG002 - the face
        """Names → which labels a sample has, float32 `[N, K]` of 0 and 1.

        Where some have names that the labels learned from have not, a column more: how many.
        """
        number = {name: i for i, name in enumerate(self.classes)}
        k = len(self.classes)
        encoded = torch.zeros(len(targets), k + 1)
        for i, target in enumerate(targets.tolist()):
            for name in names_in(target):
                encoded[i, number.get(name, k)] += 1
        return encoded if bool(encoded[:, k].any()) else encoded[:, :k]

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean binary cross-entropy over samples and labels."""
        weight = None if self.weight is None else self.weight.to(outputs)
        truth = targets[:, : len(self.classes)].to(outputs.dtype)
        return F.binary_cross_entropy_with_logits(outputs, truth, pos_weight=weight)

    def trivial_loss(self, targets: Tensor) -> float:
        """The mean entropy of the labels as they count, among targets `[B, K]`."""
        truth = targets[:, : len(self.classes)].double()
        share = truth.mean(dim=0)
        best = share
        weight = torch.ones_like(share) if self.weight is None else self.weight.to(share)
        best = weight * share / (weight * share + 1 - share)
        each = weight * torch.xlogy(share, best) + torch.xlogy(1 - share, 1 - best)
        return float(-each.mean())

    def divergence(self, wanted: Tensor, outputs: Tensor) -> Tensor:
        """Kullback and Leibler's, summed over labels: `[B]`."""
        yes = wanted.sigmoid()
        with_ = yes * (F.logsigmoid(wanted) - F.logsigmoid(outputs))
        without = (1 - yes) * (F.logsigmoid(-wanted) - F.logsigmoid(-outputs))
        return (with_ + without).sum(dim=1)

    def average(self, outputs: Tensor) -> Tensor:
        """Logits of the mean of the probabilities of `[V, N, K]`."""
        yes, no = (F.logsigmoid(signed).logsumexp(dim=0) for signed in (outputs, -outputs))
        mean: Tensor = yes - no  # log of a ratio: what both are divided by falls out
        return mean

    def adopt(self, other: Task, outputs: Tensor, where: str) -> Tensor:
        """The same logits, labels in this task's order."""
        assert isinstance(other, MultiLabel)
        missing = sorted(set(self.classes) - set(other.classes))
        if missing:
            raise UserError(f"{where} does not know the labels {', '.join(missing)}.")
        return outputs[:, [other.classes.index(name) for name in self.classes]]

    def probabilities(self, outputs: Tensor) -> Tensor:
        """`[..., K]`, each of its own."""
        return outputs.sigmoid()

    def figures(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """F1 over all answers and its mean over labels, average precision, whole samples right."""
        from sklearn.metrics import average_precision_score, f1_score

        k = len(self.classes)
        said = self._said(outputs)
        truth = targets[:, :k].cpu().numpy().astype(bool)
        unseen = targets[:, k:].sum(dim=1).cpu().numpy() > 0
        missed = int(targets[:, k:].sum())  # labels that could not be answered
        right = int((said & truth).sum())
        each = f1_score(truth, said, average=None, zero_division=0)
        there = truth.any(axis=0)
        precision = [
            average_precision_score(truth[:, i], outputs[:, i].cpu().numpy())
            for i in np.flatnonzero(there)
        ]
        found: dict[str, Any] = {
            "micro_f1": 2 * right / max(1, int(said.sum()) + int(truth.sum()) + missed),
            "macro_f1": float(each.mean()),
            "mean_average_precision": float(np.mean(precision)) if precision else 0.0,
            "exact_match": float(((said == truth).all(axis=1) & ~unseen).mean()),
            "labels_per_sample": float((truth.sum() + missed) / len(truth)),
            "n": len(truth),
        }
        if missed:
            found["labels_never_seen"] = missed
        if k <= MOST_SHOWN:
            found |= {f"f1_{name}": float(each[i]) for i, name in enumerate(self.classes)}
        return found

    def columns(self, outputs: Tensor) -> dict[str, NDArray[np.generic]]:
        """`labels`, parted by `|` (`|` alone: none), then one probability a label."""
        answers = np.array([self._written(row) for row in self._said(outputs)], dtype=object)
        probabilities = self.probabilities(outputs).cpu().numpy()
        named = {f"probability_{c}": probabilities[:, i] for i, c in enumerate(self.classes)}
        return {"labels": answers, **named}

    def answers(self, outputs: Tensor) -> dict[str, Tensor]:
        """`probabilities` `[B, K]`, each of its own."""
        return {"probabilities": self.probabilities(outputs)}

    def severity(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """How far probabilities of wrong answers are from the truth, summed over labels."""
        truth = targets[:, : len(self.classes)]
        share = self.probabilities(outputs)
        wrong = (share >= self.config.threshold) != truth.bool()
        return ((share - truth).abs() * wrong).sum(dim=1)

    def verdict(self, output: Tensor, target: Tensor) -> str:
        """`cat|dog → cat`."""
        truth = target[: len(self.classes)].bool().cpu().numpy()
        return f"{self._written(truth)} → {self._written(self._said(output[None])[0])}"

    def _said(self, outputs: Tensor) -> NDArray[np.bool_]:
        limit = math.log(self.config.threshold / (1 - self.config.threshold))
        said: NDArray[np.bool_] = (outputs >= limit).cpu().numpy()
        return said

    def _written(self, has: Sequence[bool] | NDArray[np.bool_]) -> str:
        return SEVERAL.join(n for n, yes in zip(self.classes, has, strict=True) if yes) or SEVERAL


def names_in(target: object) -> list[str]:
    """The labels that a cell names, each once."""
    return list(dict.fromkeys(n for part in str(target).split(SEVERAL) if (n := part.strip())))
