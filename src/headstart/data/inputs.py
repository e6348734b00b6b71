"""What predict and embed are given: any source of data, files by name, texts, or an array."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.arrays import as_inputs
from headstart.data.csvs import NO_TARGET, TargetError
from headstart.data.dataset import Dataset, Kind, Samples
from headstart.data.files import of_paths
from headstart.data.frames import is_frame
from headstart.data.listing import EXTENSIONS, RECORDINGS
from headstart.data.metadata import METADATA
from headstart.data.records import SUFFIXES
from headstart.data.series import Layout, as_series
from headstart.data.sources import open_dataset
from headstart.data.table_files import SUFFIXES as TABLES
from headstart.data.tabular import from_frame, read_tables
from headstart.data.texts import text_array
from headstart.errors import UserError

ALONE: dict[Kind, frozenset[str]] = {"image": EXTENSIONS, "audio": RECORDINGS.suffixes}


def open_inputs(
    inputs: str | Path | Sequence[str | Path] | NDArray[Any],
    split: str | None = None,
    kind: Kind = "image",
    learned: Mapping[str, Any] | None = None,
    *,
    features: Sequence[str] = (),
) -> tuple[Samples, Kind]:
    """Samples to answer for, and their kind; targets are kept where there are any.

    inputs: a source as `open_dataset` takes it, a picture's or recording's path, a list of such
        paths (of texts themselves where that is the `kind` asked), a frame, or an array `[N, F]`,
        `[N, H, W]` or `[N, H, W, C]`, or `[N, T]` or `[N, C, T]` of series.
    kind: of samples that a list stands for.
    learned: how the data were read that a run learned from, as in the group `data` of its
        config.yaml: columns by name (a table may lack the target), the layout of arrays.
    features: columns that are not the target.
    split: which split of a source; by default `Dataset.usual_split`.

    Raises:
        UserError: a file is missing, a source has no such split, or nobody reads it.
    """
    if kind == "text" and not isinstance(inputs, str | Path):
        return texts_given(list(inputs)), "text"
    learned = learned or {}
    target: str | None = learned.get("target")
    layout: Layout = learned.get("layout") or "auto"
    if is_frame(inputs):
        return of_split(from_frame(inputs, target, features), split), "table"
    if isinstance(inputs, np.ndarray) and kind == "series":
        return Samples(as_series(inputs, "the input", layout=layout)), "series"
    if isinstance(inputs, np.ndarray):
        kind, array = as_inputs(inputs, "the input")
        return Samples(array), kind
    if not isinstance(inputs, str | Path):
        return files_named(list(inputs)), kind if kind == "audio" else "image"
    path = Path(inputs)
    if features and path.suffix.lower() in TABLES and path.is_file():
        return of_split(read_tables({"train": path}, target, features), split), "table"
    for one, suffixes in ALONE.items():
        if path.suffix.lower() in suffixes and not path.is_dir():
            return files_named([path]), one
        if path.is_dir() and split is None and (flat := _files_in(path, suffixes)):
            return files_named(flat), one
    tabular = path.suffix.lower() in SUFFIXES
    open_with = partial(
        open_dataset,
        str(inputs),
        file_column=learned.get("file_column") if tabular else None,
        text_column=learned.get("text_column") if tabular else None,
        series_column=learned.get("series_column") if tabular else None,
        time_column=learned.get("time_column") if tabular else None,
        kind="series" if kind == "series" else None,
        layout=layout,
        to_learn=False,
    )
    wanted = (target, None) if tabular else (None, target)
    dataset = _opened(open_with, dict.fromkeys((*wanted, NO_TARGET)))
    return of_split(dataset, split), dataset.kind


def _opened(open_with: Callable[..., Dataset], targets: Iterable[str | None]) -> Dataset:
    """By the first of `targets` that the source has; the last is one that every source has."""
    *wanted, last = targets
    for target in wanted:
        with suppress(TargetError):
            return open_with(target=target)
    return open_with(target=last)


def of_split(dataset: Dataset, split: str | None) -> Samples:
    """The samples of one split, by default of the usual one."""
    name = split or dataset.usual_split
    if name not in dataset.splits:
        raise UserError(
            f"{dataset.source} has no split '{name}'.", f"It has: {', '.join(dataset.splits)}."
        )
    return dataset.splits[name]


def _files_in(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    """Files that lie in a folder directly, if it holds nothing that says more of them."""
    entries = sorted(folder.iterdir())
    if any(entry.is_dir() or entry.name == METADATA for entry in entries):
        return []
    return [entry for entry in entries if entry.suffix.lower() in suffixes]


def texts_given(texts: Sequence[Any]) -> Samples:
    """A list of texts as samples.

    Raises:
        UserError: there are none, or one is something else.
    """
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise UserError(f"text {i} is of type {type(text).__name__}; expected str.")
    if not texts:
        raise UserError("no texts were given.")
    return Samples(text_array(texts))


def files_named(named: Sequence[str | os.PathLike[str]]) -> Samples:
    """Files of pictures or recordings as samples, called as they are named.

    Raises:
        UserError: there are none, one is missing, or something else stands among them.
    """
    for i, name in enumerate(named):
        if not isinstance(name, str | os.PathLike):
            raise UserError(
                f"item {i} of the list is of type {type(name).__name__}, where the name of a file"
                " was expected.",
                "Give arrays of one size as one array, a row for each sample; of a table, a frame.",
            )
    paths = [Path(name) for name in named]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        more = f" ({len(missing):,} of {len(paths):,} are missing)" if missing[1:] else ""
        raise UserError(f"there is no file {missing[0]}{more}.")
    if not paths:
        raise UserError("no files were given.")
    return Samples(of_paths(paths, ""), names=[str(path) for path in paths])
