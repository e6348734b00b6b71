"""Tables: a row a sample, a column a thing known of it. CSV, TSV, JSON lines, Parquet, frames.

age,workclass,income
39,State-gov,<=50K

One column is the target, the others are what is learned from. A column `split` that says train,
validation or test in every row cuts a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.cells import as_texts, check_groups, joined
from headstart.data.columns import tellers
from headstart.data.csvs import MISSING, USUAL_TARGETS, kind_of_targets, parse_targets
from headstart.data.dataset import SPLITS, Dataset, Samples
from headstart.data.frames import as_table
from headstart.data.manifest import SPLIT_NAMES
from headstart.data.table_files import Frame, from_arrow, read_frame
from headstart.errors import UserError, nearest


def read_tables(
    paths: Mapping[str, Path], target: str | None = None, features: Sequence[str] = ()
) -> Dataset:
    """Tables, one file for each split.

    target: the column to learn; by default `label`, `target` or `class` where there is one.
    features: columns that are no target, whatever they are called; where they are given, the
        target may be lacking, and rows of train, as in files to predict for.

    Raises:
        UserError: a file is malformed, has no such column, or columns of the splits differ.
    """
    frames = {split: read_frame(path) for split, path in paths.items()}
    return dataset_of(frames, target, features)


def from_frame(frame: Any, target: str | None = None, features: Sequence[str] = ()) -> Dataset:
    """A frame as a table (see `frames`).

    Raises:
        UserError: as `read_tables` does.
    """
    return dataset_of({"train": from_arrow("the frame", as_table(frame))}, target, features)


def dataset_of(
    frames: Mapping[str, Frame], target: str | None, features: Sequence[str] = ()
) -> Dataset:
    """Frames as splits of one data set. See `read_tables`."""
    train = frames["train"]
    notes: list[str] = []
    by = _split_column(train, target, features) if len(frames) == 1 else None
    chosen = _target(train, by, target, features)
    targets = _targets(frames, chosen)
    splits: dict[str, Samples] = {}
    for split, frame in frames.items():
        _check_columns(frame, train, chosen)
        inputs = [name for name in train.columns if name not in (chosen, by)]
        there = [name for name in inputs if name in frame.columns]
        if not there:
            raise UserError(f"{frame.where} has no column beside its target '{chosen}'.")
        samples = Samples(
            joined({name: frame.columns[name] for name in there}),
            *targets.get(split, (None, None)),
            frame.names,
        )
        splits |= {split: samples} if by is None else _cut(samples, frame, by)
    if by is not None:
        notes.append(f"column '{by}' says which split a row is of")
    if chosen is None and "train" in splits and not features:
        notes.append("no column is the target (--target): all are learned from")
    if "train" in splits:
        notes += _leaks(splits["train"], chosen)
    return Dataset(train.where, "table", splits, chosen, list(train.columns), notes)


def grouped(dataset: Dataset, column: str | None) -> Dataset:
    """A table whose rows belong together where a column says the same, which is not learned from.

    Raises:
        UserError: there is no such column, or no other to learn from, or train has an empty cell.
    """
    if column is None:
        return dataset
    names = list(next(iter(dataset.splits.values())).inputs.dtype.names or ())  # type: ignore[union-attr]
    rest = [name for name in names if name != column]
    if column not in names or not rest:
        guess = nearest(column, names)
        raise UserError(
            f"{dataset.source} has no column '{column}' to group by, beside others.",
            *([f"Did you mean {guess}?"] if guess else []),
        )
    splits = {
        name: replace(
            samples,
            inputs=joined({other: samples.inputs[other] for other in rest}),  # type: ignore[index]
            groups=samples.inputs[column],  # type: ignore[call-overload, index]
        )
        for name, samples in dataset.splits.items()
    }
    if "train" in splits:
        check_groups(splits["train"].groups, splits["train"].name, column)  # type: ignore[arg-type]
    return dataset.with_splits(splits)


# -------------------------------------------------------------------- targets and splits


def _target(frame: Frame, by: str | None, asked: str | None, features: Sequence[str]) -> str | None:
    candidates = [name for name in frame.columns if name != by and name not in features]
    if asked is None:
        usual = [n for wanted in USUAL_TARGETS for n in candidates if n.lower() == wanted]
        return usual[0] if usual else None
    if asked in candidates:
        return asked
    if features:
        return None
    guess = nearest(asked, candidates)
    raise UserError(
        f"{frame.where} has no column '{asked}' to take targets from.",
        f"{f'Did you mean {guess}? ' if guess else ''}Its columns: {', '.join(candidates)}.",
    )


def _targets(
    frames: Mapping[str, Frame], target: str | None
) -> dict[str, tuple[NDArray[Any] | None, NDArray[np.bool_] | None]]:
    """Targets and which are known, of each split that has some; of one type in all of them."""
    values = {
        split: _as_values(frame.columns[target])
        for split, frame in frames.items()
        if target is not None and target in frame.columns
    }
    there = (value for some in values.values() for value in some if value not in MISSING)
    kind = kind_of_targets(there)
    return {n: parse_targets(some, frames[n].names, kind) for n, some in values.items()}


def _as_values(cells: NDArray[Any]) -> list[str]:
    """Cells of a target as text, whole numbers without a point."""
    values = as_texts(cells) if _is_whole(cells) or cells.dtype.kind == "O" else cells.astype(str)
    found: list[str] = values.tolist()
    return found


def _is_whole(cells: NDArray[Any]) -> bool:
    if cells.dtype.kind != "f":
        return False
    there = cells[~np.isnan(cells)]
    return bool((np.abs(there) < 2**53).all() and (there == np.round(there)).all())


def _split_column(frame: Frame, target: str | None, features: Sequence[str]) -> str | None:
    """The column that says of every row which split it is of."""
    for name, cells in frame.columns.items():
        if name == target or name in features:
            continue
        if name.lower() == "split" and cells.dtype.kind == "O":
            values = {str(v).lower() for v in cells}
            if values <= set(SPLIT_NAMES):
                return name
    return None


def _cut(samples: Samples, frame: Frame, by: str) -> dict[str, Samples]:
    said = np.array([SPLIT_NAMES[str(v).lower()] for v in frame.columns[by]])
    return {s: samples.take(np.flatnonzero(said == s)) for s in SPLITS if (said == s).any()}


def _check_columns(frame: Frame, train: Frame, target: str | None) -> None:
    if frame is train:
        return
    lacking = [n for n in train.columns if n not in frame.columns and n != target]
    if lacking:
        raise UserError(
            f"{frame.where} has no column '{lacking[0]}', which {train.where} has.",
            f"Its columns: {', '.join(frame.columns)}.",
        )


def _leaks(train: Samples, target: str | None) -> list[str]:
    """A warning for each column that gives the target away."""
    if target is None or train.targets is None:
        return []
    assert isinstance(train.inputs, np.ndarray)
    return [
        f"warning: column '{name}' gives the target '{target}' away: it {how}. If it will not be"
        f" known when you predict, leave it out: --set modality.types.{name}=ignore"
        for name, how in tellers(train.inputs, train.targets, train.has_label)
    ]
