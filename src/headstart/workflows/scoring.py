"""How well a student answers labelled samples, while it is trained and afterwards."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from headstart.data.loader import Loader
from headstart.tasks.frames import joined
from headstart.training.engine import Engine
from headstart.training.watching import Validation
from headstart.workflows.student import Student


@torch.no_grad()
def answers(
    engine: Engine, student: Student, data: Loader, *, at_once: int
) -> tuple[Tensor, Tensor]:
    """Outputs `[N, K]` (of frames `[N, T, K]`) for labelled samples, and their encoded targets.

    at_once: samples a forward pass.
    """
    parts = [
        (student.network.outputs(engine.plain(x)).float().cpu(), student.labels(y))
        for x, y in data.in_order(at_once)
        if y is not None
    ]
    outputs, targets = zip(*parts, strict=True)
    return joined(outputs), torch.cat(targets)


def score(student: Student, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
    """The loss and the task's figures."""
    task = student.network.task
    return {**task.figures(outputs, targets), "loss": float(task.loss(outputs, targets))}


def validation(engine: Engine, student: Student, held: Loader, *, at_once: int) -> Validation:
    """How the engine judges the student while it trains it."""
    task = student.network.task

    def run() -> dict[str, float]:
        figures = score(student, *answers(engine, student, held, at_once=at_once))
        return {n: v for n, v in figures.items() if isinstance(v, int | float) and n != "n"}

    return Validation(run, task.metric, task.direction)
