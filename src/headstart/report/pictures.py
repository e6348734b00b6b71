"""Samples as pictures: reconstructions, new samples, the worst mistakes."""

from __future__ import annotations

import math
from collections.abc import Callable

from matplotlib.figure import Figure
from torch import Tensor

from headstart.report.page import Plot, new_grid
from headstart.tasks.base import Task

WORST = 24


def beside(seen: Tensor, given_back: Tensor) -> Plot:
    """What the network saw above what it gave back, `[B, C, H, W]` in 0..1 each."""
    figure = _rows({"seen": seen, "given back": given_back})
    return Plot(
        "reconstructions", "Inputs and reconstructions", figure,
        "The lower row should be recognisably the upper one. The same picture in every place means"
        " that the network answers the average.",
    )  # fmt: skip


def augmented(rows: dict[str, Tensor], kind: str) -> Plot:
    """The same samples as they are and as augmentation makes them, `[B, C, H, W]` in 0..1 a row.

    kind: the kind of picture whose strengths were used.
    """
    return Plot(
        "augmentation", "What augmentation makes of samples", _rows(rows),
        f"Strengths for '{kind}'. You should recognise every sample in each row; where you cannot,"
        " the network is asked too much: lower the strengths (--set modality.augment.rotate=5) or"
        " name another kind (--set modality.augment.kind=none).",
    )  # fmt: skip


def grid(made: Tensor, columns: int) -> Plot:
    """New samples `[B, C, H, W]` in 0..1."""
    rows = math.ceil(len(made) / columns)
    figure, axes = new_grid(rows, columns, side=1.0)
    for i, picture in enumerate(made):
        _draw(axes[i // columns][i % columns], picture)
    return Plot(
        "samples", "New samples", figure,
        "Drawn from the learned law of codes: none of these is in the data.",
    )  # fmt: skip


def mistakes(
    task: Task, picture: Callable[[int], Tensor], outputs: Tensor, targets: Tensor
) -> Plot | None:
    """The samples whose answers are most wrong; None where every answer is right.

    picture: of one sample, `[C, H, W]` in 0..1; outputs `[N, K]`; targets `[N]`, encoded.
    """
    order = task.worst(outputs, targets, WORST)
    if not order:
        return None
    columns = 8
    figure, axes = new_grid(math.ceil(len(order) / columns), columns, side=1.25)
    for place, i in enumerate(order):
        ax = axes[place // columns][place % columns]
        _draw(ax, picture(i))
        ax.set_title(task.verdict(outputs[i], targets[i]), fontsize=8, parse_math=False)
    return Plot(
        "mistakes", "Worst mistakes", figure,
        "True → predicted. Look for wrong labels, damaged pictures, and kinds that need more"
        " labels.",
    )  # fmt: skip


def _rows(rows: dict[str, Tensor]) -> Figure:
    """Titled rows of pictures, `[B, C, H, W]` in 0..1 each."""
    count = max(len(part) for part in rows.values())
    figure, axes = new_grid(len(rows), count, side=1.0)
    for row, (title, part) in enumerate(rows.items()):
        for column, picture in enumerate(part):
            _draw(axes[row][column], picture)
        axes[row][0].set_title(title, fontsize=9, loc="left")
    return figure


def _draw(axes: object, picture: Tensor) -> None:
    """`[C, H, W]` in 0..1."""
    pixels = picture.permute(1, 2, 0).clamp(0, 1).cpu().numpy()
    grey = pixels.shape[2] == 1
    axes.imshow(  # type: ignore[attr-defined]
        pixels[:, :, 0] if grey else pixels,
        cmap="gray" if grey else None, vmin=0, vmax=1, interpolation="nearest",
    )  # fmt: skip
