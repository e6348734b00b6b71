"""One of several classes a sample."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.data.columns import are_truths
from headstart.errors import UserError, unknown
from headstart.settings import Settings, setting
from headstart.tasks.balance import class_weights, log_shares
from headstart.tasks.base import Task
from headstart.tasks.calibration import expected_calibration_error, fit_temperature
from headstart.tasks.favour import favour_for_f1
from headstart.tasks.heads import linear_head

MOST_SHOWN = 30  # classes whose F1 is told one by one
Index = NDArray[np.int64]
Z95 = 1.959963984540054  # the normal law's 97.5 % point


class ClassificationConfig(Settings):
    """The head's loss, and what its probabilities mean."""

    label_smoothing: float = setting(
        0.05, "share of belief spread over all classes", flag="", least=0, below=1
    )
    dropout: float = setting(
        0.0, "share of features dropped before the head", flag="", least=0, below=1
    )
    balance: Literal["none", "weights", "logits"] = setting(
        "none",
        "for classes that differ in number: none; weights: each counts alike; logits: adjusted by"
        " how frequent each is",
        flag="",
    )
    metric: str = setting(
        "auto",
        "the figure that chooses the best weights: accuracy, balanced_accuracy, macro_f1, or f1_"
        " and a class; auto: accuracy, or balanced_accuracy where balance is asked for",
        flag="",
    )
    calibrate: bool = setting(
        True, "fit a temperature of the probabilities on validation, where there is one", flag=""
    )
    favour: bool = setting(
        True,
        "where metric is the F1 of one class, answer it from the belief on that serves its F1 best"
        " on validation",
        flag="",
    )


class Classification(Task):
    """A linear head, cross-entropy, accuracy."""

    Config: ClassVar[type[Settings]] = ClassificationConfig
    name: ClassVar[str] = "classification"
    metric: str = "accuracy"
    direction: str = "max"
    classes_apart: ClassVar[bool] = True
    logits: ClassVar[bool] = True

    @classmethod
    def fit(cls, config: Any, targets: NDArray[Any]) -> dict[str, Any]:  # noqa: ARG003 - the face
        """The classes, sorted, and how many samples each has.

        Raises:
            UserError: there is only one, or there are so many that they look like numbers.
        """
        classes, counts = np.unique(targets, return_counts=True)
        if len(classes) < 2:
            raise UserError(
                f"classification needs two classes; every label is '{classes[0]}'.",
                "Label some samples of another class.",
            )
        if targets.dtype.kind == "f":
            if not np.all(classes == np.round(classes)):
                raise UserError("the targets are fractions, not classes.", "Use --task regression.")
            classes = classes.astype(np.int64)
        return {"classes": classes.tolist(), "counts": counts.tolist()}

    def __init__(self, config: ClassificationConfig, dim: int, state: dict[str, Any]) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.classes: list[Any] = state["classes"]
        self.calibrates = config.calibrate
        self.temperature = float(state.get("temperature", 1.0))
        self.favour: dict[Any, float] = state.get("favour", {})  # log-odds that classes are given
        counts = state.get("counts", [1] * len(self.classes))
        self.weight = class_weights(counts) if config.balance == "weights" else None
        self.offset = log_shares(counts) if config.balance == "logits" else None
        if config.balance != "none":
            self.metric = "balanced_accuracy"
        if config.metric != "auto":
            known = ["accuracy", "balanced_accuracy", "macro_f1", *self._f1_names().values()]
            if config.metric not in known:
                raise unknown("figure", config.metric, known)
            self.metric = config.metric
        self.head = linear_head(dim, len(self.classes), config.dropout)

    def encode(self, targets: NDArray[Any], what: str) -> Tensor:
        """Class names → their numbers, int64 `[N]`."""
        number: dict[Any, int] = {name: i for i, name in enumerate(self.classes)}
        if targets.dtype.kind in "iu" and isinstance(self.classes[0], str):
            targets = targets.astype(str)  # where train has 007 beside 7, and here there is no 007
        names = targets.tolist()
        if are_truths(self.classes):  # `true` in one file is `True` in another
            number = {str(name).lower(): i for name, i in number.items()} | number
            names = [name if name in number else str(name).lower() for name in names]
        try:
            return torch.tensor([number[name] for name in names], dtype=torch.long)
        except KeyError as error:
            raise UserError(
                f"the {what} split has the class {error.args[0]!r}, which the labels learned from"
                f" do not have: {', '.join(map(str, self.classes))}.",
            ) from None

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of logits `[B, K]`; a target of -100 (`UNLABELLED`) is left out."""
        smoothing = self.config.label_smoothing if self.training else 0.0
        if self.offset is not None:
            outputs = outputs + self.offset.to(outputs)
        weight = None if self.weight is None else self.weight.to(outputs)
        return F.cross_entropy(outputs, targets, weight, label_smoothing=smoothing)

    def trivial_loss(self, targets: Tensor) -> float:
        """The entropy of the classes as they count, among targets `[B]`."""
        count = torch.bincount(targets, minlength=len(self.classes)).float()
        if self.weight is not None:
            count = count * self.weight.to(count)
        return float(torch.special.entr(count / count.sum()).sum())

    def divergence(self, wanted: Tensor, outputs: Tensor) -> Tensor:
        """Kullback and Leibler's, of the answered law from the wanted one: `[B]`."""
        law = wanted.log_softmax(dim=1)
        return (law.exp() * (law - outputs.log_softmax(dim=1))).sum(dim=1)

    def average(self, outputs: Tensor) -> Tensor:
        """Logits of the mean of the probabilities of `[V, N, K]`, at the same temperature."""
        laws = (outputs / self.temperature).log_softmax(dim=2)
        return self.temperature * (laws.logsumexp(dim=0) - math.log(len(laws)))

    def adopt(self, other: Task, outputs: Tensor, where: str) -> Tensor:
        """Logits of the same probabilities, classes in this task's order."""
        assert isinstance(other, Classification)
        if set(other.classes) != set(self.classes):
            theirs, own = (
                ", ".join(sorted(map(str, set(a) - set(b)))) or "no others"
                for a, b in ((other.classes, self.classes), (self.classes, other.classes))
            )
            raise UserError(
                f"{where} knows other classes than the labels learned from: {theirs}; it lacks:"
                f" {own}."
            )
        order = [other.classes.index(name) for name in self.classes]
        return self.temperature * (outputs / other.temperature)[:, order]

    def calibrate(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Fit the temperature; classes count as they do in the loss."""
        alike = None
        if self.config.balance != "none":
            alike = class_weights(torch.bincount(targets, minlength=len(self.classes)).tolist())
        self.temperature = fit_temperature(outputs, targets, alike)
        wanted = next((i for i, name in self._f1_names().items() if name == self.metric), None)
        if wanted is None or not self.config.favour:
            return {"temperature": self.temperature}
        by = favour_for_f1(outputs / self.temperature, targets, wanted)
        self.favour = {str(self.classes[wanted]): by}
        return {"temperature": self.temperature, "favour": self.favour}

    def chosen(self, outputs: Tensor) -> Tensor:
        """The numbers of the classes that are answered, `[N]`: the likeliest, as favoured."""
        given = [self.temperature * self.favour.get(str(name), 0.0) for name in self.classes]
        return (outputs + outputs.new_tensor(given)).argmax(dim=-1)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """`[..., K]`, at the temperature."""
        return (outputs / self.temperature).softmax(dim=-1)

    def figures(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Accuracy with Wilson's interval, F1, calibration error, the confusion matrix."""
        answers, truth = self.chosen(outputs).cpu().numpy(), targets.cpu().numpy()
        counts = confusion(truth, answers, len(self.classes))
        accuracy = float((answers == truth).mean())
        each, met = f1_scores(counts), counts.sum(axis=1) + counts.sum(axis=0) > 0
        return {
            "accuracy": accuracy,
            "error": 1.0 - accuracy,
            "balanced_accuracy": balanced_accuracy(counts),
            "macro_f1": float(each[met].mean()),
            **{name: float(each[i]) for i, name in self._f1_names().items()},
            "n": len(truth),
            "confidence_interval": wilson(accuracy, len(truth)),
            "ece": expected_calibration_error(self.probabilities(outputs), targets),
            "confusion": counts.tolist(),
        }

    def _f1_names(self) -> dict[int, str]:
        """What the F1 of each class is called, where there are not too many."""
        some = self.classes if len(self.classes) <= MOST_SHOWN else []
        return {i: f"f1_{name}" for i, name in enumerate(some)}

    def columns(self, outputs: Tensor) -> dict[str, NDArray[np.generic]]:
        """`label`, then one probability a class."""
        probabilities = self.probabilities(outputs).cpu().numpy()
        answers = np.array(self.classes)[self.chosen(outputs).cpu().numpy()]
        named = {f"probability_{c}": probabilities[:, i] for i, c in enumerate(self.classes)}
        return {"label": answers, **named}

    def answers(self, outputs: Tensor) -> dict[str, Tensor]:
        """`probabilities` `[B, K]`, at the temperature."""
        return {"probabilities": self.probabilities(outputs)}

    def severity(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Belief in the wrong class less belief in the right one, where the answer is wrong."""
        probabilities = self.probabilities(outputs)
        answers = self.chosen(outputs)
        top = probabilities.gather(1, answers[:, None])[:, 0]
        right = probabilities.gather(1, targets[:, None])[:, 0]
        wrong = (top - right).clamp(min=0) + 1e-6
        return torch.where(answers == targets, torch.zeros_like(top), wrong)

    def verdict(self, output: Tensor, target: Tensor) -> str:
        """`7 → 1 (82 %)`, the belief in the answer."""
        answer = int(self.chosen(output))
        belief = float(self.probabilities(output)[answer])
        return f"{self.classes[int(target)]} → {self.classes[answer]} ({belief:.0%})"


def wilson(share: float, n: int) -> list[float]:
    """95 % confidence interval of a share observed in n trials (Wilson, 1927)."""
    centre = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * (share * (1 - share) / n + Z95**2 / (4 * n**2)) ** 0.5
    return [centre - half, centre + half]


# scikit-learn has the next three too, and takes ten milliseconds for each to look at what it is
# given: four fifths of the time of a short run with few labels, which is judged after each step.


def confusion(truth: Index, answers: Index, classes: int) -> Index:
    """How many samples of each class were given each answer: `[N]`, `[N]` → `[K, K]`."""
    pairs = np.bincount(truth * classes + answers, minlength=classes**2)
    return pairs.reshape(classes, classes)


def f1_scores(confusion: Index) -> NDArray[np.float64]:
    """F1 of each class, `[K]`: 2 · right / (there + answered), 0 of a class that never occurs."""
    met = confusion.sum(axis=1) + confusion.sum(axis=0)
    scores: NDArray[np.float64] = 2 * confusion.diagonal() / np.maximum(met, 1)
    return scores


def balanced_accuracy(confusion: Index) -> float:
    """Mean over the classes that there are of the share that is found."""
    there = confusion.sum(axis=1)
    return float((confusion.diagonal()[there > 0] / there[there > 0]).mean())
