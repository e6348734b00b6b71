"""Columns of a table as they are read: each distinct text kept once, numbers as numbers.

A table in memory is a structured array `[N]` with a field a column: `float64` for numbers (NaN
where one is missing), `object` for text ("" where it is missing). What a column means - a number,
a category, a date - is decided later, by `columns.infer` or the user.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.csvs import MISSING
from headstart.errors import UserError

EXACT_DIGITS = 15  # of a whole number, that float64 holds whatever they are
MOSTLY_DIFFERENT = 0.3  # of cells, from which on texts are not worth keeping apart
# Zip codes and telephone numbers begin with zeros that a number would lose.
_NUMBER = re.compile(r"[+-]?(?!0[0-9])([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]+")


class Distinct:
    """A column that grows block by block: a code a cell, and each distinct text once.

    A column whose cells are numbers and mostly different is kept as numbers at once: a million
    different texts would take a hundred bytes each.
    """

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._blocks: list[NDArray[np.int32]] = []
        self._numbers: list[NDArray[np.float64]] | None = None

    def add(self, cells: Sequence[str]) -> None:
        """A block of cells."""
        if self._numbers is not None:
            numbers = _numbers(cells)
            if numbers is not None:
                self._numbers.append(numbers)
                return
            self._back_to_text()
        known = self._codes
        codes = (known.setdefault(cell, len(known)) for cell in cells)
        self._blocks.append(np.fromiter(codes, np.int32, len(cells)))
        if len(self._blocks) == 1 and len(known) > MOSTLY_DIFFERENT * len(cells) > 100:
            numbers = _numbers(cells)
            if numbers is not None:
                self._codes, self._blocks, self._numbers = {}, [], [numbers]

    def _back_to_text(self) -> None:
        """Numbers so far, as a computer would write them: a word came after them."""
        known = self._codes
        for block in self._numbers or []:
            codes = (known.setdefault(cell, len(known)) for cell in as_texts(block).tolist())
            self._blocks.append(np.fromiter(codes, np.int32, len(block)))
        self._numbers = None

    def typed(self) -> NDArray[Any]:
        """`[N]`: `float64` if every text that is there is a number, else `object`."""
        if self._numbers is not None:
            return np.concatenate(self._numbers)
        values = [value.strip() for value in self._codes]
        values = ["" if value in MISSING else value for value in values]
        codes = np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.int32)
        numbers = _numbers(values)
        if numbers is not None and any(values):
            found: NDArray[Any] = numbers[codes]
            return found
        texts = np.empty(len(values), dtype=object)
        texts[:] = values
        return texts[codes]


def _numbers(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """Cells as numbers, NaN where one is missing; None if one is something else or loses digits."""
    found = np.empty(len(cells))
    for i, cell in enumerate(cells):
        text = cell.strip()
        number = np.nan if text in MISSING else as_number(text)
        if number is None or loses_digits(text):
            return None
        found[i] = number
    return found


def loses_digits(text: str) -> bool:
    """Whether it is a whole number too long for `float64`, where others would be the same."""
    if len(text) <= EXACT_DIGITS or not _WHOLE.fullmatch(text):
        return False
    return not np.isfinite(float(text)) or int(float(text)) != int(text)


def as_number(text: str) -> float | None:
    """The number that a text spells, if it is one that a computer would write and is finite."""
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if np.isfinite(number) else None


def as_texts(cells: NDArray[Any]) -> NDArray[Any]:
    """A column as text: whole numbers without a point, "" where a cell is missing."""
    if cells.dtype.kind == "O":
        return cells
    values, where = np.unique(cells, return_inverse=True)
    said = np.empty(len(values), dtype=object)
    said[:] = [
        "" if np.isnan(v) else f"{int(v)}" if v == int(v) else repr(float(v)) for v in values
    ]
    found: NDArray[Any] = said[where]
    return found


def factorised(cells: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Distinct texts of a column, sorted, and the number of each cell's text: `[N]`."""
    if cells.dtype.kind == "f":
        numbers, where = np.unique(cells, return_inverse=True)
        return as_texts(numbers), where
    known: dict[Any, int] = {}
    codes = np.fromiter((known.setdefault(c, len(known)) for c in cells), np.int64, len(cells))
    values = np.empty(len(known), dtype=object)
    values[:] = list(known)
    order = np.argsort(values)
    rank = np.empty(len(known), np.int64)
    rank[order] = np.arange(len(known))
    return values[order], rank[codes]


def is_missing(cells: NDArray[Any]) -> NDArray[np.bool_]:
    """`[N]`: which cells hold nothing."""
    missing: NDArray[np.bool_] = cells == "" if cells.dtype.kind == "O" else np.isnan(cells)
    return missing


def check_groups(cells: NDArray[Any], name: Callable[[int], str], column: str) -> None:
    """Raises:
    UserError: a cell of what samples are grouped by is empty.

    Such a sample may belong with any other: whether it was kept apart or put together with those
    that are empty too, a split could part what belongs together, which nobody would see.

    cells: `[N]` of train, which is what splits are cut from. name: what to call a row.
    """
    empty = np.array([str(cell).strip() in MISSING for cell in cells.tolist()], dtype=bool)
    if not empty.any():
        return
    rows = np.flatnonzero(empty)
    examples = "; ".join(name(int(i)) for i in rows[:3])
    more = "; ..." if len(rows) > 3 else ""
    raise UserError(
        f"--group {column}: the cell is empty in {len(rows):,} of {len(cells):,} rows of train"
        f" ({examples}{more}), so nobody knows what these samples belong with.",
        "Fill it in (a sample that stands alone gets a name of its own), or leave these rows out.",
    )


def joined(columns: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Columns of equal length as one structured array `[N]`."""
    length = len(next(iter(columns.values())))
    table = np.empty(length, dtype=[(name, cells.dtype) for name, cells in columns.items()])
    for name, cells in columns.items():
        table[name] = cells
    return table


def is_table(inputs: Any) -> bool:
    """Whether samples are rows of named columns."""
    return isinstance(inputs, np.ndarray) and inputs.dtype.names is not None
