"""Series in tables: a row a series (wide), a row a step (long), or lists in cells.

wide: columns that end in numbers are the steps, in their order: `t0,t1,...`; of several channels
    `x_0,x_1,...,y_0,y_1,...`. An empty cell is a value that was not measured; empty cells at the
    end are a shorter series.
long: `--series-column` names the series that a row belongs to, `--time-column` what the rows are
    in order of; all other columns of numbers are channels.
lists: JSON lines or Parquet; every column that holds lists of numbers is a channel.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.csvs import MISSING, USUAL_TARGETS, Csv, choose_target, parse_targets, read_text
from headstart.data.dataset import SPLITS, Dataset, Samples
from headstart.data.manifest import SPLIT_NAMES
from headstart.data.records import read_records
from headstart.data.series import padded
from headstart.errors import UserError, nearest

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
LARGEST = float(np.finfo(np.float32).max)
_STEP = re.compile(r"(?P<channel>.*?)[_.\- ]?(?P<step>\d+)")


@dataclass(frozen=True)
class _Part:
    """The series of one file.

    series: `[T, C]` each. channels: their names. values: of the target, as text. split: of each
    series, where the file says so.
    """

    channels: list[str]
    series: list[NDArray[np.float32]]
    names: list[str]
    where: list[str]
    target: str | None
    values: list[str]
    split: list[str] | None
    notes: list[str]


def read_series_files(
    paths: Mapping[str, Path],
    target: str | None = None,
    series_column: str | None = None,
    time_column: str | None = None,
) -> Dataset:
    """Series of one file for each split; a column `split` says which, where there is one file.

    Raises:
        UserError: a file is malformed; where is said.
    """
    parts = {
        split: _read(path, target, series_column, time_column) for split, path in paths.items()
    }
    train = parts["train"]
    for split, part in parts.items():
        if part.channels != train.channels or part.target != train.target:
            raise UserError(
                f"{paths[split]} has channels {', '.join(part.channels)} and target {part.target};"
                f" {paths['train']} has {', '.join(train.channels)} and {train.target}."
            )
    everything = [series for part in parts.values() for series in part.series]
    values = [value for part in parts.values() for value in part.values]
    where = [place for part in parts.values() for place in part.where]
    names = [name for part in parts.values() for name in part.names]
    of = [name for s, part in parts.items() for name in _splits_of(part, s, alone=len(parts) == 1)]
    known = (None, None) if train.target is None else parse_targets(values, where)
    whole = Samples(padded(everything), *known, names, channels=train.channels)
    cut = np.array(of)
    splits = {s: whole.take(np.flatnonzero(cut == s)) for s in SPLITS if (cut == s).any()}
    return Dataset(str(paths["train"]), "series", splits, train.target, train.channels, train.notes)


def holds_lists(path: Path) -> bool:
    """Whether a JSON lines or Parquet file has a column of lists of numbers."""
    if path.suffix.lower() == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            schema = pq.read_schema(path)
        except (pa.ArrowException, OSError):
            return False  # whoever reads it says what is wrong
        return any(_is_list(field.type) for field in schema)
    if path.suffix.lower() != ".jsonl":
        return False
    try:
        with path.open(encoding="utf-8") as file:
            first = json.loads(file.readline() or "null")
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and any(_is_numbers(value) for value in first.values())


def _read(
    path: Path, target: str | None, series_column: str | None, time_column: str | None
) -> _Part:
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        raise UserError(f"{path} is no {', '.join(SUFFIXES)} file: it holds no table of series.")
    if series_column is None and time_column is not None:
        raise UserError(
            "--time-column orders the rows of a series: name what tells series apart too"
            " (--series-column)."
        )
    if series_column is not None:
        return _long(read_records(path), target, series_column, time_column)
    return _lists(path, target) if holds_lists(path) else _wide(read_records(path), target)


def _wide(table: Csv, target: str | None) -> _Part:
    """A row a series."""
    steps: dict[str, dict[int, str]] = {}
    for name in table.columns:
        match = _STEP.fullmatch(name)
        if match and name != target:
            steps.setdefault(match["channel"], {})[int(match["step"])] = name
    steps = {channel: of for channel, of in steps.items() if len(of) > 1}
    if not steps:
        raise UserError(
            f"{table.path} has no columns that are the steps of a series: columns whose names end"
            " in numbers (t0, t1, ...).",
            "Of a table with a row a step, say which column names the series: --series-column.",
        )
    first, *others = steps
    for channel in others:
        if sorted(steps[channel]) != sorted(steps[first]):
            raise UserError(
                f"{table.path}: channel '{channel}' has {len(steps[channel])} steps, channel"
                f" '{first}' {len(steps[first])}, or other numbers.",
                "Every channel needs the same steps; leave cells empty where nothing was measured.",
            )
    used = {name for of in steps.values() for name in of.values()}
    rest = [name for name in table.columns if name not in used]
    label, by = _roles(table.path, rest, target)
    order = sorted(steps[first])
    cells = [[of[step] for step in order] for of in steps.values()]
    columns = [[_numbers(table, name) for name in of] for of in cells]
    x = np.array(columns, dtype=np.float32)  # [C, T, N]
    unread = [name for name in rest if name not in (label, by)]
    return _Part(
        list(steps),
        list(x.transpose(2, 1, 0)),
        [f"{table.path.name}:{line}" for line in table.lines],
        [f"{table.path}, {table.unit} {line}" for line in table.lines],
        label,
        [""] * len(table.rows) if label is None else table.column(label),
        None if by is None else table.column(by),
        [f"columns that are no steps and were not read: {', '.join(unread)}"] if unread else [],
    )


def _long(table: Csv, target: str | None, series_column: str, time_column: str | None) -> _Part:
    """A row a step."""
    for name in (series_column, *([time_column] if time_column else [])):
        if name not in table.columns:
            guess = nearest(name, table.columns)
            raise UserError(
                f"{table.path} has no column '{name}'.",
                f"{f'Did you mean {guess}? ' if guess else ''}Its columns:"
                f" {', '.join(table.columns)}.",
            )
    rest = [name for name in table.columns if name not in (series_column, time_column)]
    label, by = _roles(table.path, rest, target)
    channels = [name for name in rest if name not in (label, by)]
    if not channels:
        raise UserError(f"{table.path} has no column of values beside its names and targets.")
    rows: dict[str, list[int]] = {}
    for i, name in enumerate(table.column(series_column)):
        if name in MISSING:
            raise UserError(f"{table.path}, {table.unit} {table.lines[i]} names no series.")
        rows.setdefault(name, []).append(i)
    if time_column is not None:
        _check_times(table, rows, time_column)
    x = np.array([_numbers(table, name) for name in channels], dtype=np.float32).T  # [rows, C]

    def constant(column: str | None) -> list[str]:
        return [""] * len(rows) if column is None else _constant(table, rows, column)

    return _Part(
        channels,
        [x[index] for index in rows.values()],
        list(rows),
        [f"{table.path}, series {name}" for name in rows],
        label,
        constant(label),
        None if by is None else constant(by),
        [],
    )


def _lists(path: Path, target: str | None) -> _Part:
    """A row a series, each channel a list."""
    columns, unit = (_parquet(path) if path.suffix.lower() == ".parquet" else _json(path)), "row"
    channels = [n for n, cells in columns.items() if any(isinstance(cell, list) for cell in cells)]
    rest = [name for name in columns if name not in channels]
    label, by = _roles(path, rest, target)
    series = []
    for i, cells in enumerate(zip(*(columns[name] for name in channels), strict=True)):
        place = f"{path}, {unit} {i}"
        found = {len(cell) if isinstance(cell, list) else 0 for cell in cells}
        if len(found) > 1:
            counts = ", ".join(
                f"'{n}' {len(c or [])}" for n, c in zip(channels, cells, strict=True)
            )
            raise UserError(f"{place}: its channels have different numbers of steps ({counts}).")
        series.append(np.array([_list(cell, place) for cell in cells], dtype=np.float32).T)

    def plain(column: str | None) -> list[str]:
        cells = [None] * len(series) if column is None else columns[column]
        return ["" if cell is None else str(cell).strip() for cell in cells]

    return _Part(
        channels,
        series,
        [f"{path.name}, {unit} {i}" for i in range(len(series))],
        [f"{path}, {unit} {i}" for i in range(len(series))],
        label,
        plain(label),
        None if by is None else plain(by),
        [],
    )


def _roles(path: Path, rest: Sequence[str], target: str | None) -> tuple[str | None, str | None]:
    """The columns of the target and of the split; of several that could be targets, a usual one."""
    by = next((name for name in rest if name.lower() == "split" and name != target), None)
    rest = [name for name in rest if name != by]
    if target is None:
        rest = [name for name in rest if name.lower() in USUAL_TARGETS]
    return choose_target(path, rest, target), by


def _numbers(table: Csv, column: str) -> NDArray[np.float64]:
    """A column `[N]`, NaN where a cell is empty.

    Raises:
        UserError: a cell holds no number, or an infinite one.
    """
    out = np.full(len(table.rows), np.nan)
    for i, cell in enumerate(table.column(column)):
        if cell in MISSING:
            continue
        place = f"{table.path}, {table.unit} {table.lines[i]}, column '{column}'"
        try:
            out[i] = float(cell)
        except ValueError as error:
            raise UserError(
                f"{place} holds {cell!r}, where a number was expected.",
                "If the column is the label, name it with --target; if no channel, remove it.",
            ) from error
        if not abs(out[i]) <= LARGEST:
            raise UserError(f"{place} holds {cell}: values must be finite.", "Leave it empty.")
    return out


def _check_times(table: Csv, rows: Mapping[str, list[int]], column: str) -> None:
    """Raises:
    UserError: times within a series do not grow from row to row.
    """
    cells = table.column(column)
    for name, index in rows.items():
        last = -math.inf
        for i in index:
            place = f"{table.path}, {table.unit} {table.lines[i]}"
            now = _time(cells[i], place, column)
            if now == last:
                raise UserError(
                    f"{place}: series {name} has the time {cells[i]} twice.",
                    "Remove or join such rows.",
                )
            if now < last:
                raise UserError(
                    f"{place}: the time {cells[i]} of series {name} comes after a later one.",
                    f"Sort the file by {column}; or leave --time-column out to take rows as they"
                    " stand.",
                )
            last = now


def _time(cell: str, place: str, column: str) -> float:
    try:
        return float(cell)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(cell).timestamp()
    except ValueError as error:
        raise UserError(
            f"{place}, column '{column}' holds {cell!r}: expected a number or an ISO date."
        ) from error


def _constant(table: Csv, rows: Mapping[str, list[int]], column: str) -> list[str]:
    """The one value of a column in each series.

    Raises:
        UserError: a series has several.
    """
    cells = table.column(column)
    found = []
    for name, index in rows.items():
        other = next((i for i in index if cells[i] != cells[index[0]]), None)
        if other is not None:
            raise UserError(
                f"{table.path}, {table.unit} {table.lines[other]}: series {name} has"
                f" '{column}' {cells[other]} here and {cells[index[0]]} before.",
                "A series has one label; cut it apart where the label changes.",
            )
        found.append(cells[index[0]])
    return found


def _splits_of(part: _Part, split: str, *, alone: bool) -> list[str]:
    if part.split is None or not alone:
        return [split] * len(part.series)
    for place, name in zip(part.where, part.split, strict=True):
        if name.lower() not in SPLIT_NAMES:
            raise UserError(f"{place}: there is no split '{name}'.", f"Known: {', '.join(SPLITS)}.")
    return [SPLIT_NAMES[name.lower()] for name in part.split]


def _json(path: Path) -> dict[str, list[Any]]:
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UserError(f"{path}, line {number} is not JSON ({error}).") from error
        if not isinstance(row, dict):
            raise UserError(f"{path}, line {number}: expected a JSON object.")
        rows.append(row)
    return {
        name: [row.get(name) for row in rows] for name in dict.fromkeys(k for r in rows for k in r)
    }


def _parquet(path: Path) -> dict[str, list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} is not a readable Parquet file ({error}).") from error
    return {name: table[name].to_pylist() for name in table.column_names}


def _list(cell: Any, place: str) -> list[float]:
    if cell is None:
        return []
    if not isinstance(cell, list):
        raise UserError(f"{place} holds {cell!r}, where a list of numbers was expected.")
    out = [math.nan if value is None else value for value in cell]
    if not _is_numbers(out) and out:
        raise UserError(f"{place} holds a list that is not all numbers.")
    if any(abs(value) > LARGEST for value in out):
        raise UserError(
            f"{place} holds a value that is infinite, or too large.",
            "Use null for what was not measured.",
        )
    return out


def _is_numbers(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(
            v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in value
        )
    )


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    of = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(
        of and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))
    )
