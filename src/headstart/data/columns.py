"""What a column of a table means: a number, a category, a boolean, a date, an identifier, text.

Meaning is inferred from the cells of train; `--set modality.types.NAME=KIND` overrules it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headstart.data.cells import as_number, factorised, is_missing, loses_digits

Meaning = Literal["number", "category", "boolean", "date", "identifier", "text", "ignore"]
TRUTHS = ({"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"on", "off"})
DATE_FORMATS = ("%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%d %b %Y", "%b %d, %Y")
IDENTIFIERS = ("id", "uuid", "guid", "index", "key", "rowid")
LOOKED_AT = 20_000  # rows by which a column's meaning is told
MOSTLY = 0.9  # numbers among cells from which on the others count as mistakes
WORDS = 3.0  # words a cell from which on different cells are texts
MOST_VALUES = 0.5  # distinct among cells that a category may have


def infer(name: str, cells: NDArray[Any]) -> Meaning:
    """What a column means, from its name and its cells `[N]`."""
    cells = cells[:LOOKED_AT]
    there = cells[~is_missing(cells)]
    if len(there) == 0:
        return "ignore"
    if cells.dtype.kind != "O":
        return _of_numbers(name, there)
    values = np.unique(there)
    if {str(v).lower() for v in values} in TRUTHS:
        return "boolean"
    distinct = len(values) / len(there)
    if share_of_numbers(there) >= MOSTLY:
        if any(loses_digits(str(v)) for v in values):
            return "identifier" if distinct > MOST_VALUES else "category"
        return "number"
    if date_format(there) is not None:
        return "date"
    words = sum(len(str(v).split()) for v in values) / len(values)
    if len(values) > 20 and distinct > MOST_VALUES:
        if words >= WORDS:
            return "text"
        if distinct == 1.0 or _named_as_identifier(name):
            return "identifier"
    return "category"


def are_truths(values: Iterable[Any]) -> bool:
    """Whether all values spell true or false in one way, in whatever case: `True`, `false`."""
    folded = {str(v).lower() for v in values}
    return bool(folded) and any(folded <= pair for pair in TRUTHS)


def _of_numbers(name: str, there: NDArray[np.float64]) -> Meaning:
    values = np.unique(there)
    if len(values) == 2 and values[0] == 0 and values[1] == 1:
        return "boolean"
    whole = bool((values == np.round(values)).all())
    if whole and len(values) == len(there) and len(there) > 20:
        steps = np.diff(there)
        if _named_as_identifier(name) or bool((steps == 1).all()):
            return "identifier"
    return "number"


def _named_as_identifier(name: str) -> bool:
    words = name.lower().replace("-", "_").replace(" ", "_").split("_")
    return words[-1] in IDENTIFIERS or words[0] in ("id", "uuid") or name.startswith("Unnamed:")


def share_of_numbers(there: NDArray[Any]) -> float:
    """Of text cells that hold something, how many spell numbers."""
    return float(np.mean([as_number(str(v)) is not None for v in there]))


def date_format(there: NDArray[Any]) -> str | None:
    """How dates are written in cells, if all are dates: "iso", or a format of `strptime`."""
    values = [str(v) for v in np.unique(there)]
    for form in ("iso", *DATE_FORMATS):
        if all(math.isfinite(day_of(value, form)) for value in values):
            return form
    return None


def day_of(text: str, form: str) -> float:
    """Days since 1970 of a date, NaN where it is none."""
    try:
        if form == "iso":
            if len(text) < 8 or not text[:4].isdigit() or text[4] != "-":
                return math.nan
            when = datetime.fromisoformat(text)
        else:
            when = datetime.strptime(text, form)
    except ValueError:
        return math.nan
    return (when.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds() / 86_400


def meanings(table: NDArray[Any]) -> dict[str, Meaning]:
    """What each column of a structured array means."""
    return {name: infer(name, table[name]) for name in table.dtype.names or ()}


def described(meaning: Meaning, cells: NDArray[Any]) -> str:
    """A column in a few words: what it means, how many values it has, how many are missing."""
    absent = int(is_missing(cells).sum())
    gone = f", {absent:,} missing" if absent else ""
    there = cells[~is_missing(cells)]
    if len(there) == 0:
        return "nothing in it"
    if meaning == "number" and cells.dtype.kind == "f":
        return f"number, {there.min():g} to {there.max():g}{gone}"
    values, codes = factorised(there)
    counts = np.bincount(codes)
    if meaning in ("category", "boolean"):
        most = values[counts.argmax()]
        return f"{meaning}, {len(values):,} values, most often '{most}'{gone}"
    return f"{meaning}, {len(values):,} different{gone}"


def tellers(
    table: NDArray[Any], targets: NDArray[Any], known: NDArray[np.bool_]
) -> Sequence[tuple[str, str]]:
    """Columns that give the target away, and how: a copy of it, or a value for each answer.

    targets, known: `[N]`. A column that is nearly an identifier tells nothing by being unique.
    """
    rows = np.flatnonzero(known)[:LOOKED_AT]
    if len(rows) < 20:
        return ()
    answers, codes = np.unique(targets[rows], return_inverse=True)
    found = []
    for name in table.dtype.names or ():
        cells = table[name][rows]
        values, of = factorised(cells)
        if len(values) > len(rows) / 4 and cells.dtype.kind != "f":
            continue
        numbers = cells.dtype.kind == "f" and targets.dtype.kind in "if" and len(answers) > 2
        if numbers and _same_line(cells, targets[rows].astype(np.float64)):
            found.append((name, "is a copy of it"))
            continue
        pairs = len(np.unique(of.astype(np.int64) * len(answers) + codes))
        if pairs == len(values) == len(answers):
            found.append((name, "is a copy of it"))
        elif pairs == len(values) and 1 < len(answers) <= len(values) <= len(rows) / 10:
            found.append((name, "tells it: each of its values has one answer"))
    return found


def _same_line(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether two columns of numbers lie on a line."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 20 or one[both].std() == 0 or other[both].std() == 0:
        return False
    return bool(abs(np.corrcoef(one[both], other[both])[0, 1]) > 1 - 1e-9)


def constant(table: NDArray[Any]) -> list[str]:
    """Columns that hold one value, or nothing."""
    found = []
    for name in table.dtype.names or ():
        cells = table[name]
        there = cells[~is_missing(cells)]
        if len(there) == 0 or (len(there) == len(cells) and bool((there == there[0]).all())):
            found.append(name)
    return found
