"""Loss and metric curves from progress.jsonl."""

from __future__ import annotations

from typing import Any

from headstart.report.page import Plot, new_figure
from headstart.workflows.loaded import LoadedRun

DECADES = 20.0  # a loss that falls by more than this factor is drawn on a logarithmic axis


def losses(run: LoadedRun) -> Plot | None:
    """The loss in training and on validation, step by step."""
    records = run.folder.read_progress()
    lines = {
        "training": _points(records, "train", "loss"),
        "validation": _points(records, "validation", "loss"),
    }
    lines = {name: points for name, points in lines.items() if points}
    if not lines:
        return None
    figure, axes = new_figure(7, 3.6)
    for name, points in lines.items():
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, label=name, marker="o" if len(points) < 30 else None, ms=3)
    heights = [value for points in lines.values() for _, value in points]
    if min(heights) > 0 and max(heights) / min(heights) > DECADES:
        axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    if best := run.result.get("best_step"):
        axes.axvline(best, color="grey", ls=":", lw=1, label="weights kept")
    axes.legend(frameon=False)
    return Plot(
        "loss", "Loss", figure,
        "Both curves should fall and then lie flat. A validation curve that turns up while"
        " training falls is overfitting.",
    )  # fmt: skip


def metrics(run: LoadedRun) -> Plot | None:
    """The task's metric on validation; nothing where none was set apart."""
    if run.task is None:
        return None
    points = _points(run.folder.read_progress(), "validation", run.task.metric)
    if len(points) < 2:
        return None
    figure, axes = new_figure(7, 3.2)
    steps, values = zip(*points, strict=True)
    axes.plot(steps, values, marker="o", ms=3)
    axes.set_xlabel("step")
    axes.set_ylabel(f"{run.task.metric} on validation")
    return Plot(
        "metric", run.task.metric.replace("_", " ").capitalize(), figure,
        "Measured on labels set apart from those learned from; the best weights were kept.",
    )  # fmt: skip


def embedding(run: LoadedRun) -> Plot | None:
    """The effective rank of the embeddings while the run trained."""
    points = _points(run.folder.read_progress(), "health", "effective_rank_centred")
    if len(points) < 3:
        return None
    figure, axes = new_figure(7, 2.8)
    steps, values = zip(*points, strict=True)
    axes.plot(steps, values, marker="o", ms=3)
    axes.set_ylim(0, 1.1 * max(values))
    axes.set_xlabel("step")
    axes.set_ylabel("directions in use")
    return Plot(
        "effective_rank", "Effective rank of the embeddings", figure,
        "In how many directions embeddings vary (RankMe, about their mean). A fall to one or two"
        " is a collapse.",
    )  # fmt: skip


def _points(records: list[dict[str, Any]], part: str, name: str) -> list[tuple[int, float]]:
    found = []
    for record in records:
        value = record.get(part, {}).get(name)
        if value is not None:
            found.append((int(record["step"]), float(value)))
    return found
