"""Series as lines: augmented ones, reconstructions, new ones, the worst mistakes."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from headstart.report.page import Plot, new_grid
from headstart.types import Batch
from headstart.workflows.loaded import LoadedRun

SHOWN = 6  # series in a row
WORST = 18
MOST_CHANNELS = 6  # that are drawn over one another


@torch.no_grad()
def seen(run: LoadedRun, x: Tensor) -> list[Plot]:
    """What the network saw of some samples, and what it gave back or made.

    x: compact samples `[N, C, T]`.
    """
    x = x[:SHOWN].to(run.device)
    plots = []
    if run.learner.augment or run.learner.views > 1:
        plots.append(_augmented(run, x))
    if run.task is not None:
        return plots
    batch: Batch = run.batch(x)
    pair = run.learner.reconstruct(batch)
    if pair is not None:
        rows = {"seen": pair[0], "given back": pair[1]}
        plots.append(_plot(run, "reconstructions", "Inputs and reconstructions", rows,
            "The lower row should follow the upper one. The same course in every place means that"
            " the network answers the average."))  # fmt: skip
    made = run.learner.sample(2 * SHOWN)
    if made is not None:
        rows = {"new": made[:SHOWN], "more": made[SHOWN:]}
        plots.append(_plot(run, "samples", "New samples", rows,
            "Drawn from the learned law of codes: none of these is in the data."))  # fmt: skip
    return plots


def mistakes(run: LoadedRun, x: Tensor, outputs: Tensor, targets: Tensor) -> Plot | None:
    """The series whose answers are most wrong; None where every answer is right.

    x: compact samples `[N, C, T]`; outputs `[N, K]`; targets `[N]`, encoded.
    """
    task = run.task
    assert task is not None
    order = task.worst(outputs, targets, WORST)
    if not order:
        return None
    figure, axes = new_grid(math.ceil(len(order) / SHOWN), SHOWN, side=1.6)
    prepared = run.batch(x[order]).x
    for place, i in enumerate(order):
        ax = axes[place // SHOWN][place % SHOWN]
        _draw(ax, prepared[place], flagged=run.modality.spec.flagged)
        ax.set_title(task.verdict(outputs[i], targets[i]), fontsize=8, parse_math=False)
    return Plot(
        "mistakes", "Worst mistakes", figure,
        "True → predicted. Look for wrong labels, sensors that failed, and kinds that need more"
        " labels.",
    )  # fmt: skip


def _augmented(run: LoadedRun, x: Tensor) -> Plot:
    rows = {
        "as they are": run.modality.prepare(x),
        "weakly": run.modality.augment(x),
        "weakly, again": run.modality.augment(x),
        "strongly": run.modality.augment(x, "strong"),
        "strongly, again": run.modality.augment(x, "strong"),
    }
    return _plot(run, "augmentation", "What augmentation makes of samples", rows,
        "You should recognise every series in each row; where you cannot, the network is asked too"
        " much: lower the strengths (--set modality.augment.warp=0).")  # fmt: skip


def _plot(run: LoadedRun, name: str, title: str, rows: dict[str, Tensor], sentence: str) -> Plot:
    """Titled rows of prepared series, `[B, C, T]` each."""
    count = max(len(part) for part in rows.values())
    figure, axes = new_grid(len(rows), count, side=1.6)
    for row, (head, part) in enumerate(rows.items()):
        for column, series in enumerate(part):
            _draw(axes[row][column], series, flagged=run.modality.spec.flagged)
        axes[row][0].set_title(head, fontsize=9, loc="left")
    return Plot(name, title, figure, sentence)


def _draw(axes: Any, series: Tensor, *, flagged: bool) -> None:
    """`[C, T]`, a line a channel; nothing where nothing was measured."""
    values = series.float().cpu()
    if flagged:
        values, there = values.chunk(2)
        values = values.masked_fill(there < 0.5, torch.nan)
    for channel in values[:MOST_CHANNELS]:
        axes.plot(channel.numpy(), linewidth=1.0)
