"""What the data of a run are, in a few rows."""

from __future__ import annotations

import numpy as np

from headstart.data.dataset import Dataset

MOST_CLASSES = 30  # whose counts fit on a page


def of_data(dataset: Dataset) -> list[tuple[str, str]]:
    """Kind, splits with their labels, and how often each class is there."""
    rows: list[tuple[str, str]] = [("kind", dataset.kind)]
    for name, samples in dataset.splits.items():
        labelled = int(samples.has_label.sum())
        rows.append((f"{name} samples", f"{len(samples):,}, {labelled:,} of them with a label"))
    train = dataset.train
    if train.targets is None or train.targets.ndim > 1 or not train.has_label.any():
        return rows
    known = train.targets[train.has_label]
    if known.dtype.kind == "f":
        low, middle, high = np.quantile(known, [0, 0.5, 1])
        rows.append(("targets of train", f"{low:.4g} to {high:.4g}, median {middle:.4g}"))
    elif known.dtype.kind in "iubU":
        names, counts = np.unique(known, return_counts=True)
        shown = [f"{n} {c:,}" for n, c in zip(names, counts, strict=True)]
        few = len(names) <= MOST_CLASSES
        rows.append(("labels of train", ", ".join(shown) if few else f"{len(names):,} classes"))
    return rows
