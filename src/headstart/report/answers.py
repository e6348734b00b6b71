"""Answers against the truth: a confusion matrix, or predicted against true values."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from headstart.report.page import Plot, new_figure
from headstart.tasks.base import Task
from headstart.tasks.classification import Classification
from headstart.tasks.regression import Regression

MOST_CLASSES = 30  # more do not fit on a page


def judged(task: Task, outputs: Tensor, targets: Tensor) -> Plot | None:
    """The plot that suits the task; None where there is none for it."""
    if isinstance(task, Classification):
        return confusion(task, outputs, targets)
    if isinstance(task, Regression):
        return against_truth(task, outputs, targets)
    return None


def confusion(task: Classification, outputs: Tensor, targets: Tensor) -> Plot | None:
    """Counts of (true, predicted); shaded by the share of the true class."""
    counts = np.array(task.figures(outputs, targets)["confusion"])
    if len(counts) > MOST_CLASSES:
        return None
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.2 + 0.42 * len(counts)
    figure, axes = new_figure(side, side)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.argwhere(counts > 0):
        ink = "white" if shares[i, j] > 0.5 else "black"
        axes.text(j, i, f"{counts[i, j]}", ha="center", va="center", fontsize=8, color=ink)
    names = [str(name).replace("$", r"\$") for name in task.classes]
    axes.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 3 else 0)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    return Plot(
        "confusion", "Confusion matrix", figure,
        "Right answers lie on the diagonal; a dark square beside it is a pair of classes taken for"
        " one another.",
    )  # fmt: skip


def against_truth(task: Regression, outputs: Tensor, targets: Tensor) -> Plot:
    """Predicted against true values, in the target's own unit."""
    answer = task.columns(outputs)["prediction"].astype(np.float64)
    truth = task.truth(targets)
    figure, axes = new_figure(5.2, 5)
    axes.scatter(truth, answer, s=8, alpha=0.5)
    ends = [min(truth.min(), answer.min()), max(truth.max(), answer.max())]
    axes.plot(ends, ends, color="grey", ls=":", lw=1)
    axes.set_xlabel("true")
    axes.set_ylabel("predicted")
    return Plot(
        "truth", "Predicted and true", figure,
        "Right answers lie on the dotted line; a flatter cloud means answers drawn to the mean.",
    )  # fmt: skip
