"""A CSV, JSONL or Parquet file that lists files, a row each: name, targets, a split.

The files are all pictures, or all recordings.

file,breed,split
photos/001.jpg,beagle,train
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from headstart.data.cells import check_groups
from headstart.data.csvs import Csv, absent_files, choose_target, parse_targets
from headstart.data.dataset import SPLITS, Dataset, Kind, Samples
from headstart.data.files import of_paths
from headstart.data.listing import RECORDINGS
from headstart.data.records import SUFFIXES, read_records
from headstart.errors import UserError, nearest

FILE_COLUMNS = ("file_name", "file", "path", "image", "audio", "filename")
SPLIT_NAMES = {
    "train": "train",
    "test": "test",
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
}


@dataclass(frozen=True)
class _Part:
    """The rows of one manifest."""

    table: Csv
    files: list[Path]
    split: list[str]
    target: str | None


def read_manifest(
    path: Path,
    target: str | None = None,
    file_column: str | None = None,
    others: Mapping[str, Path] | None = None,
    group: str | None = None,
) -> Dataset:
    """Paths of pictures with their targets; file names are relative to the manifest's folder.

    others: further splits, each with a manifest of its own; `path` is then train.
    group: the column that says which files belong together.

    Raises:
        UserError: the file is malformed, has no column of files, names files that are not there,
            leaves the target open, or a row of train is empty where `group` is asked for.
    """
    given = {"train": path, **(others or {})}
    parts = [
        _read(part, target, file_column, split if others else None, group)
        for split, part in given.items()
    ]
    if len({part.target for part in parts}) > 1:
        found = "; ".join(f"{part.table.path}: {part.target or 'none'}" for part in parts)
        raise UserError(f"the manifests have different targets ({found}).", "Name it: --target.")
    chosen = parts[0].target
    files = [file for part in parts for file in part.files]
    split = np.array([name for part in parts for name in part.split])
    where = of_paths(files, str(path.parent))
    lines = [
        f"{part.table.path}, {part.table.unit} {n}" for part in parts for n in part.table.lines
    ]
    if chosen is None:
        samples = Samples(where)
    else:
        values = [value for part in parts for value in part.table.column(chosen)]
        samples = Samples(where, *parse_targets(values, lines))
    if group is not None:
        together = np.array([value for part in parts for value in part.table.column(group)])
        samples = replace(samples, groups=together)
        learned = np.flatnonzero(split == "train")
        check_groups(together[learned], lambda i: lines[int(learned[i])], group)
    splits = {s: samples.take(np.flatnonzero(split == s)) for s in SPLITS if (split == s).any()}
    return Dataset(str(path), _kind(path, files), splits, chosen, parts[0].table.columns)


def _kind(path: Path, files: list[Path]) -> Kind:
    """Whether files are recordings; any others count as pictures.

    Raises:
        UserError: some are, some are not.
    """
    heard = [file for file in files if file.suffix.lower() in RECORDINGS.suffixes]
    if heard and len(heard) < len(files):
        other = next(file for file in files if file.suffix.lower() not in RECORDINGS.suffixes)
        raise UserError(
            f"{path} names recordings ({heard[0].name}) and other files ({other.name}).",
            "Give each kind of file a manifest of its own.",
        )
    return "audio" if heard else "image"


def _read(
    path: Path,
    target: str | None,
    file_column: str | None,
    split: str | None,
    group: str | None,
) -> _Part:
    """split: the one that all rows belong to; None lets a `split` column say."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        raise UserError(
            f"{path} is no {', '.join(SUFFIXES)} file.",
            "A manifest's other splits are manifests too.",
        )
    table = read_records(path)
    column = _file_column(table, file_column)
    if group is not None and group not in table.columns:
        raise UserError(
            f"{path} has no column '{group}' to group by.",
            f"Its columns: {', '.join(table.columns)}.",
        )
    rest = [name for name in table.columns if name not in (column, group)]
    by_column = next((n for n in rest if n.lower() == "split" and n != target), None)
    if by_column is None:
        splits = [split or "train"] * len(table.rows)
    elif split is None:
        splits = splits_of(table, by_column)
    else:
        raise UserError(
            f"{path} has a column '{by_column}', and other splits are named too: which counts?",
            "Leave out --validation and --test, or remove the column.",
        )
    candidates = [name for name in rest if name != by_column]
    return _Part(table, _files(table, column), splits, choose_target(path, candidates, target))


def _file_column(table: Csv, asked: str | None) -> str:
    listing = ", ".join(table.columns)
    if asked is not None:
        if asked in table.columns:
            return asked
        guess = nearest(asked, table.columns)
        hint = f"Did you mean {guess}? " if guess else ""
        raise UserError(
            f"{table.path} has no column '{asked}' of file names.", f"{hint}Its columns: {listing}."
        )
    for name in usual_file_columns(table.columns):
        return name
    raise UserError(
        f"{table.path} has no column of file names ({', '.join(FILE_COLUMNS)}): tables of columns"
        " are not supported yet.",
        f"If one of its columns names picture files, say which with --file-column: {listing}.",
    )


def usual_file_columns(columns: Sequence[str]) -> list[str]:
    """Those that are called as columns of file names are, the likeliest first."""
    return [name for wanted in FILE_COLUMNS for name in columns if name.lower() == wanted]


def splits_of(table: Csv, column: str) -> list[str]:
    """The split of each row, as a column names it.

    Raises:
        UserError: a cell names none.
    """
    splits = []
    for value, line in zip(table.column(column), table.lines, strict=True):
        split = SPLIT_NAMES.get(value.lower())
        if split is None:
            raise UserError(
                f"{table.path}, {table.unit} {line}, column '{column}': '{value}' is no split;"
                " expected train, validation or test."
            )
        splits.append(split)
    return splits


def _files(table: Csv, column: str) -> list[Path]:
    folder = table.path.parent
    files = []
    missing = []
    for name, line in zip(table.column(column), table.lines, strict=True):
        file = folder / name
        files.append(file)
        if not name or not _is_file(file):
            missing.append((line, name))
    if missing:
        raise absent_files(table.path, missing, len(files), table.unit)
    return files


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the file system allows
        return False
