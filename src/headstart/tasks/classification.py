"""One of several classes a sample."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.errors import UserError
from headstart.settings import Settings, setting
from headstart.tasks.base import Task

Z95 = 1.959963984540054  # the normal law's 97.5 % point


class ClassificationConfig(Settings):
    """The head's loss."""

    label_smoothing: float = setting(0.05, "share of belief spread over all classes", flag="")
    dropout: float = setting(0.0, "share of features dropped before the head", flag="")


class Classification(Task):
    """A linear head, cross-entropy, accuracy."""

    Config: ClassVar[type[Settings]] = ClassificationConfig
    name: ClassVar[str] = "classification"
    metric: ClassVar[str] = "accuracy"
    direction: ClassVar[str] = "max"
    classes_apart: ClassVar[bool] = True

    @classmethod
    def fit(cls, config: Any, targets: NDArray[Any]) -> dict[str, Any]:  # noqa: ARG003 - the face
        """The classes, sorted.

        Raises:
            UserError: there is only one, or there are so many that they look like numbers.
        """
        classes = np.unique(targets)
        if len(classes) < 2:
            raise UserError(
                f"classification needs two classes; every label is '{classes[0]}'.",
                "Label some samples of another class.",
            )
        if targets.dtype.kind == "f":
            if not np.all(classes == np.round(classes)):
                raise UserError("the targets are fractions, not classes.", "Use --task regression.")
            classes = classes.astype(np.int64)
        return {"classes": classes.tolist()}

    def __init__(self, config: ClassificationConfig, dim: int, state: dict[str, Any]) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.classes: list[Any] = state["classes"]
        linear = nn.Linear(dim, len(self.classes))
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
        self.head = nn.Sequential(
            nn.BatchNorm1d(dim, affine=False), nn.Dropout(config.dropout), linear
        )

    def encode(self, targets: NDArray[Any], what: str) -> Tensor:
        """Class names → their numbers, int64 `[N]`."""
        number = {name: i for i, name in enumerate(self.classes)}
        try:
            return torch.tensor([number[name] for name in targets.tolist()], dtype=torch.long)
        except KeyError as error:
            raise UserError(
                f"the {what} split has the class {error.args[0]!r}, which the labels learned from"
                f" do not have: {', '.join(map(str, self.classes))}.",
            ) from None

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of logits `[B, K]`; a target of -100 (`UNLABELLED`) is left out."""
        smoothing = self.config.label_smoothing if self.training else 0.0
        return F.cross_entropy(outputs, targets, label_smoothing=smoothing)

    def figures(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Accuracy with Wilson's interval, macro F1, and the confusion matrix."""
        from sklearn.metrics import confusion_matrix, f1_score

        answers, truth = outputs.argmax(dim=1).cpu().numpy(), targets.cpu().numpy()
        accuracy = float((answers == truth).mean())
        labels = list(range(len(self.classes)))
        return {
            "accuracy": accuracy,
            "error": 1.0 - accuracy,
            "macro_f1": float(f1_score(truth, answers, average="macro", zero_division=0)),
            "n": len(truth),
            "confidence_interval": wilson(accuracy, len(truth)),
            "confusion": confusion_matrix(truth, answers, labels=labels).tolist(),
        }

    def columns(self, outputs: Tensor) -> dict[str, NDArray[np.generic]]:
        """`label`, then one probability a class."""
        probabilities = outputs.softmax(dim=1).cpu().numpy()
        answers = np.array(self.classes)[probabilities.argmax(axis=1)]
        named = {f"probability_{c}": probabilities[:, i] for i, c in enumerate(self.classes)}
        return {"label": answers, **named}

    def severity(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Belief in the wrong class less belief in the right one, where the answer is wrong."""
        probabilities = outputs.softmax(dim=1)
        top, answers = probabilities.max(dim=1)
        right = probabilities.gather(1, targets[:, None])[:, 0]
        return torch.where(answers == targets, torch.zeros_like(top), top - right + 1e-6)

    def verdict(self, output: Tensor, target: Tensor) -> str:
        """`7 → 1 (82 %)`, the belief in the answer."""
        belief, answer = output.softmax(dim=0).max(dim=0)
        return f"{self.classes[int(target)]} → {self.classes[int(answer)]} ({float(belief):.0%})"


def wilson(share: float, n: int) -> list[float]:
    """95 % confidence interval of a share observed in n trials (Wilson, 1927)."""
    centre = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * (share * (1 - share) / n + Z95**2 / (4 * n**2)) ** 0.5
    return [centre - half, centre + half]
