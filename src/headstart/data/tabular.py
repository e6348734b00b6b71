"""Tables: a row a sample, a column a thing known of it. CSV, TSV, JSON lines, Parquet, frames.

age,workclass,income
39,State-gov,<=50K

One column is the target, the others are what is learned from. A column `split` that says train,
validation or test in every row cuts a file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.cells import Distinct, as_texts, check_groups, joined
from headstart.data.columns import tellers
from headstart.data.csvs import USUAL_TARGETS, parse_targets, read_text
from headstart.data.dataset import SPLITS, Dataset, Numbered, Samples
from headstart.data.frames import as_table
from headstart.data.listing import EXTENSIONS
from headstart.data.manifest import FILE_COLUMNS, SPLIT_NAMES
from headstart.data.records import read_records
from headstart.errors import UserError, nearest

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
CERTAIN = ("file_name", "file", "filename")  # columns that can name nothing else
BLOCK = 10_000  # rows that are texts at once


@dataclass(frozen=True)
class Frame:
    """One file, column by column. lines: of each row, by which messages call it, as `unit`."""

    where: str
    columns: dict[str, NDArray[Any]]
    lines: NDArray[np.int64]
    unit: str = "line"

    @property
    def names(self) -> Numbered:
        """Of the rows."""
        between = ":" if self.unit == "line" else f", {self.unit} "
        return Numbered(f"{Path(self.where).name}{between}", self.lines)


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
    return dataset_of({"train": _from_arrow("the frame", as_table(frame))}, target, features)


def read_frame(path: Path) -> Frame:
    """One file of `SUFFIXES`.

    Raises:
        UserError: it is malformed; where is said.
    """
    match path.suffix.lower():
        case ".csv" | ".tsv":
            return _read_csv(path)
        case ".parquet":
            return _read_parquet(path)
        case ".jsonl":
            read = read_records(path)
            columns = {}
            for name in read.columns:
                cells = Distinct()
                cells.add(read.column(name))
                columns[name] = cells.typed()
            return Frame(str(path), columns, np.array(read.lines), read.unit)
    raise UserError(f"{path} is no {', '.join(SUFFIXES)} file.", "Name tables for all splits.")


def dataset_of(
    frames: Mapping[str, Frame], target: str | None, features: Sequence[str] = ()
) -> Dataset:
    """Frames as splits of one data set. See `read_tables`."""
    train = frames["train"]
    notes: list[str] = []
    by = _split_column(train, target, features) if len(frames) == 1 else None
    chosen = _target(train, by, target, features)
    splits: dict[str, Samples] = {}
    for split, frame in frames.items():
        _check_columns(frame, train, chosen)
        inputs = [name for name in train.columns if name not in (chosen, by)]
        there = [name for name in inputs if name in frame.columns]
        if not there:
            raise UserError(f"{frame.where} has no column beside its target '{chosen}'.")
        samples = Samples(
            joined({name: frame.columns[name] for name in there}),
            *_targets(frame, chosen),
            frame.names,
        )
        splits |= {split: samples} if by is None else _cut(samples, frame, by)
    if by is not None:
        notes.append(f"column '{by}' says which split a row is of")
    if chosen is None and "train" in splits and not features:
        notes.append("no column is the target (--target): all are learned from")
    if "train" in splits:
        notes += _leaks(splits["train"], chosen)
    elif not features:
        raise UserError(f"{train.where} has no row of train; found {', '.join(splits)}.")
    return Dataset(train.where, "table", splits, chosen, list(train.columns), notes)


def grouped(dataset: Dataset, column: str | None) -> Dataset:
    """A table whose rows belong together where a column says the same, which is not learned from.

    Raises:
        UserError: there is no such column, or no other to learn from, or train has an empty cell.
    """
    if column is None:
        return dataset
    assert isinstance(dataset.train.inputs, np.ndarray)
    names = list(dataset.train.inputs.dtype.names or ())
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
            inputs=joined({other: samples.inputs[other] for other in rest}),  # type: ignore[call-overload, index]
            groups=samples.inputs[column],  # type: ignore[call-overload, index]
        )
        for name, samples in dataset.splits.items()
    }
    check_groups(dataset.train.inputs[column], dataset.train.name, column)
    return dataset.with_splits(splits)


def lists_files(path: Path) -> bool:
    """Whether a table lists files: a column called so, or one that may be and names a picture."""
    header, first = next(_peek(path), ([], []))
    for name, cell in zip(header, first, strict=False):
        if name.lower() not in FILE_COLUMNS or not cell:
            continue
        if name.lower() in CERTAIN:
            return True
        if Path(cell).suffix.lower() in EXTENSIONS or (path.parent / cell).is_file():
            return True
    return False


def _peek(path: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Header and first row, where they can be read at all."""
    if path.suffix.lower() in (".csv", ".tsv"):
        rows = _rows(path)
        header = next(rows, None)
        first = next(rows, None)
        if header is not None and first is not None:
            yield header[1], first[1]
        return
    found = read_records(path)
    yield found.columns, found.rows[0]


# -------------------------------------------------------------------- files


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each record that is not blank, as the file is read.

    Raises:
        UserError: unreadable, not UTF-8, or quotes that do not match.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = (_checked(line) for line in file)
            first = next(lines, "")
            delimiter = _delimiter(path, first)
            reader = csv.reader(_chained(first, lines), delimiter=delimiter, strict=True)
            line = 1
            for record in reader:
                if record:
                    yield line, record
                line = reader.line_num + 1
    except csv.Error as error:
        message = f"{path}, line {reader.line_num}: {error}."
        raise UserError(message, "Check quotes and separators.") from error
    except (UnicodeError, _NulError):
        read_text(path)  # says what is wrong, and where
        raise
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}.") from error


class _NulError(Exception):
    """A NUL byte: no text file."""


def _checked(line: str) -> str:
    if "\0" in line:
        raise _NulError
    return line


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def _delimiter(path: Path, header: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    return next((d for d in ",;\t" if d in header), ",")


def _read_csv(path: Path) -> Frame:
    rows = _rows(path)
    _, header = next(rows, (0, []))
    if not header:
        raise UserError(f"{path} is empty; expected a header and rows.")
    names = _header(path, header)
    columns = [Distinct() for _ in names]
    lines: list[NDArray[np.int64]] = []
    block: list[list[str]] = []
    numbers: list[int] = []

    def put_away() -> None:
        for column, cells in zip(columns, zip(*block, strict=True), strict=True):
            column.add(cells)
        lines.append(np.array(numbers, dtype=np.int64))
        block.clear()
        numbers.clear()

    for line, row in rows:
        if len(row) != len(names):
            raise UserError(
                f"{path}, line {line} has {len(row)} cells; its header has {len(names)}.",
                "A cell with a separator in it must stand in double quotes.",
            )
        block.append(row)
        numbers.append(line)
        if len(block) == BLOCK:
            put_away()
    if block:
        put_away()
    if not lines:
        raise UserError(f"{path} has a header and no rows.")
    typed = {name: column.typed() for name, column in zip(names, columns, strict=True)}
    return Frame(str(path), typed, np.concatenate(lines))


def _header(path: Path | str, cells: Sequence[str]) -> list[str]:
    """Names of columns; one without gets its number, as a frame's index written by pandas has."""
    names = [cell.strip() or f"Unnamed: {i}" for i, cell in enumerate(cells)]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise UserError(f"{path} has several columns called '{doubled[0]}'.", "Rename them.")
    return names


def _read_parquet(path: Path) -> Frame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} is not a readable Parquet file ({error}).") from error
    return _from_arrow(str(path), table)


def _from_arrow(where: str, table: Any) -> Frame:
    """Columns of numbers as they are; dates and all else as text."""
    import pyarrow as pa

    kept = [f.name for f in table.schema if not pa.types.is_nested(f.type)]
    if not kept or not table.num_rows:
        raise UserError(f"{where} has no rows of text or numbers.")
    names = _header(where, kept)
    columns: dict[str, NDArray[Any]] = {}
    for name, original in zip(names, kept, strict=True):
        column = table.column(original)
        kind = column.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            numbers = column.cast(pa.float64()).to_numpy()
            if np.isinf(numbers).any():
                row = int(np.isinf(numbers).argmax())
                raise UserError(f"{where}, row {row}, column '{name}' is not finite.")
            columns[name] = np.asarray(numbers, dtype=np.float64)
        else:
            cells = Distinct()
            cells.add(["" if v is None else str(v) for v in column.to_pylist()])
            columns[name] = cells.typed()
    return Frame(where, columns, np.arange(table.num_rows), "row")


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
    frame: Frame, target: str | None
) -> tuple[NDArray[Any] | None, NDArray[np.bool_] | None]:
    if target is None or target not in frame.columns:
        return None, None
    cells = frame.columns[target]
    values = as_texts(cells) if _is_whole(cells) or cells.dtype.kind == "O" else cells.astype(str)
    where = frame.names
    return parse_targets(values.tolist(), where)


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
