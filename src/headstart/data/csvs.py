"""CSV as manifests and `metadata.csv` use it: a checked table of text, and its targets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headstart.errors import UserError, nearest

MISSING = frozenset({"", "NA", "nan", "NaN", "?", "null", "NULL"})
USUAL_TARGETS = ("label", "target", "class")
NO_TARGET = ""  # asked for where targets are not looked at
Type = Literal["whole", "number", "text"]
_INTEGER = re.compile(r"[+-]?[0-9]+")  # int() would take 1_000 and ٣ too
_MOST_DIGITS = 18  # that int64 holds, whatever they are
_LED_BY_ZERO = re.compile(r"[+-]?0[0-9]")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?inf(inity)?", re.I)


@dataclass(frozen=True)
class Csv:
    """A table of text.

    columns: the header. rows: one list of cells a record, as long as the header.
    lines: the line in the file at which each row begins, from 1; or another `unit` to find it by.
    """

    path: Path
    columns: list[str]
    rows: list[list[str]]
    lines: list[int]
    unit: str = "line"

    def column(self, name: str) -> list[str]:
        """All cells below a header."""
        index = self.columns.index(name)
        return [row[index] for row in self.rows]


def read_csv(path: Path) -> Csv:
    """A CSV file in UTF-8, separated by commas (or by `;` or tabs where its header is).

    Raises:
        UserError: unreadable, not UTF-8, empty, header only, ragged, or a column named twice.
    """
    text = read_text(path)
    first = text.splitlines()[0] if text.strip() else ""
    delimiter = next((d for d in ",;\t" if d in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[list[str]] = []
    lines: list[int] = []
    line = 1
    try:
        for record in reader:
            if record:  # a blank line is none
                records.append([cell.strip() for cell in record])
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}, line {line}: {error}.", "Check quotes and separators.") from error
    if not records:
        raise UserError(f"{path} is empty; expected a header and rows.")
    columns, *rows = records
    doubled = sorted({name for name in columns if columns.count(name) > 1})
    if doubled:
        raise UserError(f"{path} has several columns called '{doubled[0]}'.", "Rename them.")
    if not rows:
        raise UserError(f"{path} has a header and no rows.")
    for row, line in zip(rows, lines[1:], strict=True):
        if len(row) != len(columns):
            raise UserError(
                f"{path}, line {line} has {len(row)} cells; its header has {len(columns)}.",
                "A cell with a comma in it must stand in double quotes.",
            )
    return Csv(path, columns, rows, lines[1:])


def read_text(path: Path) -> str:
    """A text file in UTF-8.

    Raises:
        UserError: it cannot be read, or is something else.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}.") from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UserError(f"{path} is UTF-16.", "Save it as UTF-8.")
    if (nul := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise UserError(f"{path}, line {line} holds a NUL byte: this is not a text file.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line} is not UTF-8.", "Save it as UTF-8.") from error


class TargetError(UserError):
    """A file does not say which of its columns holds the targets; without any it can be read."""


def choose_target(path: Path, columns: Sequence[str], target: str | None) -> str | None:
    """The column that holds the targets: the one asked for, the only one, or the usual one.

    columns: those that could be targets. target: `NO_TARGET` where none is wanted. Returns None
    when there are none.

    Raises:
        TargetError: there is no such column, or several and none has a usual name.
    """
    if target == NO_TARGET:
        return None
    if target is not None:
        if target in columns:
            return target
        guess = nearest(target, columns)
        raise TargetError(
            f"{path} has no column '{target}' to take targets from.",
            f"{f'Did you mean {guess}? ' if guess else ''}Its columns: {_listed(columns)}.",
        )
    if len(columns) <= 1:
        return columns[0] if columns else None
    usual = [name for wanted in USUAL_TARGETS for name in columns if name.lower() == wanted]
    if usual:
        return usual[0]
    raise TargetError(
        f"{path} has several columns that could be the target: {_listed(columns)}.",
        "Name one with --target.",
    )


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "") or "none"


def kind_of_targets(there: Iterable[str]) -> Type:
    """What targets are, none of them missing: whole numbers or numbers if all are, else text.

    Text too where a number would lose what tells classes apart: a zero that it begins with, as
    7, 07 and 007 do, or digits that no number has room for.
    """
    kind: Type = "whole"
    long = False
    for value in there:
        if _INTEGER.fullmatch(value):
            long = long or len(value.lstrip("+-")) > _MOST_DIGITS
        elif _NUMBER.fullmatch(value):
            kind = "number"
        else:
            return "text"
        if _LED_BY_ZERO.match(value):
            return "text"
    return "text" if long and kind == "whole" else kind


def parse_targets(
    values: Sequence[str], where: Sequence[str] | None = None, kind: Type | None = None
) -> tuple[NDArray[Any] | None, NDArray[np.bool_] | None]:
    """Text as targets `[N]`: int, float or str, as `kind_of_targets` says.

    where: what to call each value in messages, such as its file and line.
    kind: what they are together with others; by default what they are alone.

    Returns: targets (None when every one is missing) and which are known (None when all are).
        Where one is missing stands -1, NaN or "".

    Raises:
        UserError: numbers among which one is infinite.
    """
    known = np.array([value not in MISSING for value in values], dtype=bool)
    if not known.any():
        return None, None
    labelled = None if known.all() else known
    there = [value for value in values if value not in MISSING]
    kind = kind or kind_of_targets(there)
    targets: NDArray[Any]
    if kind == "whole":
        targets = np.full(len(values), -1, dtype=np.int64)
        targets[known] = [int(value) for value in there]
    elif kind == "number":
        targets = np.full(len(values), np.nan)
        targets[known] = [float(value) for value in there]
        if np.isinf(targets).any():
            index = int(np.isinf(targets).argmax())
            place = where[index] if where is not None else f"row {index}"
            raise UserError(f"{place}: the target {values[index]} is not a finite number.")
    else:
        targets = np.array([v if k else "" for v, k in zip(values, known, strict=True)])
    return targets, labelled


def absent_files(
    path: Path, missing: Sequence[tuple[int, str]], total: int, unit: str = "line"
) -> UserError:
    """The error for rows whose files are not there.

    missing: line and file name of each such row, at least one.
    """
    examples = "; ".join(f"{unit} {line}: {name!r}" for line, name in missing[:3])
    return UserError(
        f"{path} names files that are not there: {len(missing):,} of {total:,} rows ({examples}).",
        f"File names are relative to {path.parent}. Mend or remove these rows.",
    )
