"""Columns of a table as they are read: each distinct text kept once, numbers as numbers.

A table in memory is a structured array `[N]` with a field a column: `float64` for numbers (NaN
where one is missing), `object` for text ("" where it is missing). What a column means - a number,
a category, a date - is decided later, by `columns.infer` or the user.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.csvs import MISSING

# Zip codes and telephone numbers begin with zeros that a number would lose.
_NUMBER = re.compile(r"[+-]?(?!0[0-9])([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Distinct:
    """A column that grows block by block: a code a cell, and each distinct text once."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._blocks: list[NDArray[np.int32]] = []

    def add(self, cells: Sequence[str]) -> None:
        """A block of cells."""
        known = self._codes
        codes = (known.setdefault(cell, len(known)) for cell in cells)
        self._blocks.append(np.fromiter(codes, np.int32, len(cells)))

    def typed(self) -> NDArray[Any]:
        """`[N]`: `float64` if every text that is there is a number, else `object`."""
        values = [value.strip() for value in self._codes]
        values = ["" if value in MISSING else value for value in values]
        codes = np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.int32)
        numbers = [as_number(value) for value in values]
        there = [number for number, value in zip(numbers, values, strict=True) if value]
        if there and None not in there:
            of = np.array([np.nan if number is None else number for number in numbers])
            found: NDArray[Any] = of[codes]
            return found
        texts = np.empty(len(values), dtype=object)
        texts[:] = values
        return texts[codes]


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


def is_missing(cells: NDArray[Any]) -> NDArray[np.bool_]:
    """`[N]`: which cells hold nothing."""
    missing: NDArray[np.bool_] = cells == "" if cells.dtype.kind == "O" else np.isnan(cells)
    return missing


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
