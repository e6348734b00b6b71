"""A manifest's rows, from CSV, JSON lines or Parquet: one checked table of text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headstart.data.csvs import Csv, read_csv, read_text
from headstart.errors import UserError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


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
    if isinstance(value, dict | list):
        raise UserError(
            f"{path}, line {line}, column '{column}': expected text or a number, found"
            f" {type(value).__name__}."
        )
    return "" if value is None else str(value).strip()


def _parquet(path: Path) -> Csv:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} is not a readable Parquet file ({error}).") from error
    names = [f.name for f in table.schema if not pa.types.is_nested(f.type) and f.name is not None]
    doubled = [name for name in names if names.count(name) > 1]
    if doubled:
        raise UserError(f"{path} has several columns called '{doubled[0]}'.", "Rename them.")
    if not names or not table.num_rows:
        raise UserError(f"{path} has no rows of text or numbers.")
    values = [["" if v is None else str(v) for v in table[name].to_pylist()] for name in names]
    rows = [list(row) for row in zip(*values, strict=True)]
    return Csv(path, names, rows, list(range(len(rows))), unit="row")
