"""A manifest's rows, from CSV, JSON lines or Parquet: one checked table of text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headstart.data.csvs import Csv, read_csv, read_text
from headstart.errors import UserError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
SEVERAL = "|"  # stands between the labels of one cell; alone: there are none


def read_records(path: Path) -> Csv:
    """The rows of a file of one of `SUFFIXES`.

    Raises:
        UserError: the file is malformed; where is said.
    """
    match path.suffix.lower():
        case ".jsonl":
            return _json_lines(path)
        case ".parquet":
            return _parquet(path)
    return read_csv(path)


def _json_lines(path: Path) -> Csv:
    """An object a line; a key that a line lacks is a missing value."""
    columns: dict[str, None] = {}
    objects: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise UserError(
                f"{path}, line {number} is not JSON ({error}).",
                "A .jsonl file has one whole JSON object on each line.",
            ) from error
        if not isinstance(value, dict):
            raise UserError(
                f"{path}, line {number}: expected a JSON object, found {type(value).__name__}."
            )
        columns.update(dict.fromkeys(value))
        objects.append(value)
        lines.append(number)
    if not objects:
        raise UserError(f"{path} is empty; expected a JSON object a line.")
    rows = []
    for value, number in zip(objects, lines, strict=True):
        rows.append([_cell(value.get(name), path, number, name) for name in columns])
    return Csv(path, list(columns), rows, lines)


def _cell(value: Any, path: Path, line: int, column: str) -> str:
    where = f"{path}, line {line}, column '{column}'"
    if isinstance(value, list):
        return _several(value, where)
    if isinstance(value, dict):
        raise UserError(f"{where}: expected text or a number, found {type(value).__name__}.")
    return "" if value is None else str(value).strip()


def _several(values: list[Any], where: str) -> str:
    """A list of names as one cell, parted by `|`; an empty one is `|`."""
    for value in values:
        name = str(value).strip()
        if isinstance(value, dict | list) or value is None or not name or SEVERAL in name:
            raise UserError(
                f"{where}: {value!r} in a list is no label; expected text without '{SEVERAL}', or a"
                " number."
            )
    return SEVERAL.join(str(value).strip() for value in values) or SEVERAL


def _parquet(path: Path) -> Csv:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} is not a readable Parquet file ({error}).") from error
    names = [f.name for f in table.schema if _readable(f.type) and f.name is not None]
    doubled = [name for name in names if names.count(name) > 1]
    if doubled:
        raise UserError(f"{path} has several columns called '{doubled[0]}'.", "Rename them.")
    if not names or not table.num_rows:
        raise UserError(f"{path} has no rows of text or numbers.")
    values = [_parquet_column(table[name], path, name) for name in names]
    rows = [list(row) for row in zip(*values, strict=True)]
    return Csv(path, names, rows, list(range(len(rows))), unit="row")


def _parquet_column(column: Any, path: Path, name: str) -> list[str]:
    import pyarrow as pa

    try:
        cells = column.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise UserError(
            f"{path}, column '{name}' of type {column.type} cannot be read: {error}.",
            "Leave it out, or write it as text.",
        ) from error
    return [_parquet_cell(value, path, row, name) for row, value in enumerate(cells)]


def _parquet_cell(value: Any, path: Path, row: int, column: str) -> str:
    if isinstance(value, list):
        return _several(value, f"{path}, row {row}, column '{column}'")
    return "" if value is None else str(value)


def _readable(kind: Any) -> bool:
    """Text, numbers, and lists of names or whole numbers: several labels."""
    import pyarrow as pa

    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = kind.value_type
        return bool(pa.types.is_string(inner) or pa.types.is_integer(inner))
    return not pa.types.is_nested(kind)
