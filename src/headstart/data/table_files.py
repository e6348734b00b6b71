"""One table as it lies in a file or in memory, column by column: CSV, TSV, JSON lines, Parquet.

Numbers stay numbers; dates and all else are texts. What they mean, which column is the target and
what splits there are, `tabular` says.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.cells import Distinct
from headstart.data.csvs import read_text
from headstart.data.dataset import Numbered
from headstart.data.listing import EXTENSIONS
from headstart.data.manifest import FILE_COLUMNS
from headstart.data.records import read_records
from headstart.errors import UserError

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


def lists_files(path: Path) -> bool:
    """Whether a table lists files: a column called so, or one that may be and names a picture."""
    header, first = next(_peek(path), ([], []))
    named = zip(header, first, strict=False)
    return any(names_files(name, cell, path.parent) for name, cell in named)


def names_files(column: str, cell: str, folder: Path) -> bool:
    """Whether a column lists files of a folder, by what it is called and its first cell."""
    if column.lower() not in FILE_COLUMNS or not cell:
        return False
    if column.lower() in CERTAIN or Path(cell).suffix.lower() in EXTENSIONS:
        return True
    try:
        return (folder / cell).is_file()
    except (OSError, ValueError):  # too long for a name, or with a NUL in it
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
    if path.suffix.lower() == ".parquet" and not _may_list(path):
        return
    found = read_records(path)
    yield found.columns, found.rows[0]


def _may_list(path: Path) -> bool:
    """Whether a column is called as one that lists files: the cells need not be read to know."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return any(name.lower() in FILE_COLUMNS for name in pq.read_schema(path).names)
    except (pa.ArrowException, OSError):
        return True  # whoever reads it says what is wrong


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
    return from_arrow(str(path), table)


def from_arrow(where: str, table: Any) -> Frame:
    """A pyarrow Table: columns of numbers as they are; dates and all else as text.

    Raises:
        UserError: there is nothing in it, or a column cannot be read.
    """
    import pyarrow as pa

    kept = [f.name for f in table.schema if not pa.types.is_nested(f.type)]
    if not kept or not table.num_rows:
        raise UserError(f"{where} has no rows of text or numbers.")
    names = _header(where, kept)
    columns: dict[str, NDArray[Any]] = {}
    for name, original in zip(names, kept, strict=True):
        try:
            columns[name] = cells = _arrow_cells(table.column(original))
        except (pa.ArrowException, ValueError, OverflowError) as error:
            raise UserError(
                f"{where}, column '{name}' of type {table.schema.field(original).type} cannot be"
                f" read: {error}.",
                "Leave it out, or write it as text.",
            ) from error
        if cells.dtype.kind == "f" and np.isinf(cells).any():
            row = int(np.isinf(cells).argmax())
            raise UserError(f"{where}, row {row}, column '{name}' is not finite.")
    return Frame(where, columns, np.arange(table.num_rows), "row")


def _arrow_cells(column: Any) -> NDArray[Any]:
    """`[N]`: `float64` of numbers that it holds to the digit, else as `Distinct` has it.

    Whole numbers beyond 2^53 are identifiers more often than amounts: in `float64` two that differ
    in the last digits would be one.
    """
    import pyarrow as pa

    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        try:
            return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
        except pa.ArrowInvalid:
            if not pa.types.is_integer(column.type):
                raise
    cells = Distinct()
    cells.add(["" if v is None else str(v) for v in column.to_pylist()])
    return cells.typed()
