"""After training: probabilities and intervals are suited to labels that validated, if any did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from headstart.tasks.base import Task

Answered = Mapping[str, tuple[Tensor, Tensor]]  # split → outputs [N, K], encoded targets [N]


def calibrated(task: Task, answers: Answered) -> tuple[dict[str, Any], dict[str, Any], str | None]:
    """Calibrate `task` on the validation split; the others are only measured.

    Returns what the task's state gains, what `result.json` says of it, and a note for the user.
    """
    if not task.calibrates:
        return {}, {}, None
    if "validation" not in answers:
        return {}, {}, (
            f"{task.calibrated} are not calibrated: no labels were set apart to validate with"
        )  # fmt: skip
    before = {name: _error(task, *said) for name, said in answers.items() if name != "train"}
    state = task.calibrate(*answers["validation"])
    figure = task.calibration_figure
    record: dict[str, Any] = {**state, "labels": len(answers["validation"][1])}
    for name, was in before.items():
        record[f"{name}_{figure}"] = {"before": was, "after": _error(task, *answers[name])}
    return state, record, None


def _error(task: Task, outputs: Tensor, targets: Tensor) -> float:
    return float(task.figures(outputs, targets)[task.calibration_figure])
