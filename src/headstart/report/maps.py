"""The embedding on a sheet of paper."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from headstart.report.page import Plot, new_figure

FEWEST_FOR_TSNE = 60
# Paul Tol's 'muted' scheme and grey: told apart by colour-blind readers too.
COLOURS = (
    "#332288", "#88CCEE", "#44AA99", "#117733", "#999933",
    "#DDCC77", "#CC6677", "#882255", "#AA4499", "#777777",
)  # fmt: skip


def embedding(pooled: Tensor, labels: NDArray[Any] | None) -> Plot | None:
    """A 2-D map of `[N, D]`, coloured by label: t-SNE, or principal components where N is small."""
    points = pooled.numpy().astype(np.float64)
    spread = points.std(axis=0)
    points = (points - points.mean(axis=0))[:, spread > 1e-8]
    if len(points) < 3 or points.shape[1] < 1:
        return None
    flat, method = _flatten(points)
    figure, axes = new_figure(6.4, 5.2)
    _scatter(axes, figure, flat, labels)
    axes.set_xticks([])
    axes.set_yticks([])
    return Plot(
        "map", "Map of the embedding", figure,
        f"{len(flat):,} samples placed so that neighbours in the encoder's features are neighbours"
        f" here ({method}). Classes that form islands are easy to learn from few labels.",
        points=flat,
    )  # fmt: skip


def places(plot: Plot) -> list[tuple[float, float]]:
    """Where the points of a map lie on its picture: per cent from the left and from the top."""
    assert plot.points is not None
    plot.figure.draw_without_rendering()
    width, height = plot.figure.bbox.size
    at = plot.figure.axes[0].transData.transform(plot.points) / [width, height]
    return [(round(100 * x, 2), round(100 * (1 - y), 2)) for x, y in at.tolist()]


def _flatten(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if len(points) < FEWEST_FOR_TSNE or points.shape[1] < 3:
        flat = PCA(min(2, points.shape[1])).fit_transform(points)
        if flat.shape[1] == 1:
            flat = np.column_stack([flat[:, 0], np.zeros(len(flat))])
        return flat, "principal components"
    reduced = PCA(min(30, *points.shape), random_state=0).fit_transform(points)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flat = TSNE(init="pca", random_state=0, perplexity=min(30, len(points) / 4)).fit_transform(
            reduced
        )
    return flat, "t-SNE"


def _scatter(
    axes: Any, figure: Any, flat: NDArray[np.float64], labels: NDArray[Any] | None
) -> None:
    if labels is None:
        axes.scatter(*flat.T, s=8, color=COLOURS[0])
        return
    classes = np.unique(labels)
    if labels.dtype.kind == "f" or len(classes) > len(COLOURS):
        numbers = (
            labels if labels.dtype.kind in "iuf" else np.unique(labels, return_inverse=True)[1]
        )
        dots = axes.scatter(*flat.T, s=8, c=numbers, cmap="cividis")
        figure.colorbar(dots, ax=axes, label="target")
        return
    for colour, name in zip(COLOURS, classes, strict=False):
        # matplotlib would hide a label that begins with an underscore, and read $ as mathematics
        axes.scatter(
            *flat[labels == name].T, s=8, color=colour, label=f" {name}".replace("$", r"\$")
        )
    axes.legend(
        frameon=False, markerscale=2, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5)
    )
