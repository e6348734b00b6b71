"""How one column of a table becomes numbers and category codes; everything is fitted on train.

Each column gives `numbers` `[N, p]`, which come normalised, and `codes` `[N, q]` of category
columns with `cardinalities`. A missing value is information: a code of its own, or, for a number,
a column beside it that says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from headstart.data.cells import as_number, factorised, is_missing
from headstart.data.columns import are_truths, day_of
from headstart.errors import UserError

MISSING, UNSEEN, FIRST = 0, 1, 2  # codes of a category
POINTS = 256  # of the curve that a number is normalised by
EDGES = 64  # parts that train's values of a number are cut into
TAIL = 3.0  # a value outside what train has is put at most so far out, in deviations

Cells = NDArray[Any]
Names = Sequence[str]


class Column(Protocol):
    """See the module."""

    name: str
    edges: list[list[float]]  # of each of its numbers
    cardinalities: list[int]

    def state(self) -> dict[str, Any]:
        """As JSON can hold it."""
        ...

    def numbers(self, cells: Cells, names: Names) -> NDArray[np.float64]:
        """`[N, p]`. names: what to call the rows in messages."""
        ...

    def codes(self, cells: Cells) -> NDArray[np.int64]:
        """`[N, q]`."""
        ...


class Number:
    """Normalised by its rank in train (or by mean and deviation), 0 where missing."""

    kind: ClassVar[str] = "number"

    def __init__(
        self, name: str, at: list[float], to: list[float], edges: list[list[float]], *, gaps: bool
    ) -> None:
        self.name, self.at, self.to, self.edges, self.gaps = name, at, to, edges, gaps
        self.cardinalities = [FIRST + 1] if gaps else []

    @classmethod
    def fit(cls, name: str, cells: Cells, names: Names, *, ranks: bool) -> Number:
        """ranks: whether by rank."""
        values = parsed(name, cells, names)
        there = values[~np.isnan(values)]
        at, to = curve_of(there) if ranks else line_of(there)
        gaps = len(there) < len(values)
        return cls(name, at, to, [edges_of(mapped(there, at, to))], gaps=gaps)

    def state(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "name": self.name, "kind": self.kind, "at": self.at, "to": self.to,
            "edges": self.edges, "gaps": self.gaps,
        }  # fmt: skip

    def numbers(self, cells: Cells, names: Names) -> NDArray[np.float64]:
        """`[N, 1]`."""
        values = parsed(self.name, cells, names)
        known = np.nan_to_num(mapped(values, self.at, self.to), nan=0.0)
        return known[:, None]

    def codes(self, cells: Cells) -> NDArray[np.int64]:
        """Whether it is missing, where train has a gap."""
        if not self.gaps:
            return np.zeros((len(cells), 0), np.int64)
        return np.where(is_missing(cells), MISSING, FIRST)[:, None]


class Category:
    """A code a value; values that train has seldom share one with those it does not have.

    True and false are what they are in whatever case: CSV files have `true` where frames have
    `True`.
    """

    def __init__(self, name: str, values: list[str], kind: str, *, numeric: bool) -> None:
        self.name, self.values, self.kind, self.numeric = name, values, kind, numeric
        self.edges: list[list[float]] = []
        self.cardinalities = [FIRST + len(values)]
        self._codes = {value: FIRST + i for i, value in enumerate(values)} | {"": MISSING}
        folds = kind == "boolean"
        self._folded = {v.lower(): code for v, code in self._codes.items()} if folds else {}

    @classmethod
    def fit(cls, name: str, cells: Cells, kind: str, rare: int) -> Category:
        """rare: values that train has less often are rare."""
        values, codes = factorised(cells)
        if kind == "boolean" and cells.dtype.kind == "O":
            values, codes = _one_spelling(values, codes)
        counts = np.bincount(codes, minlength=len(values))
        kept = [str(v) for v, n in zip(values, counts, strict=True) if v and n >= rare]
        return cls(name, kept, kind, numeric=cells.dtype.kind == "f")

    def state(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "name": self.name, "kind": self.kind, "values": self.values, "numeric": self.numeric,
        }  # fmt: skip

    def numbers(self, cells: Cells, names: Names) -> NDArray[np.float64]:  # noqa: ARG002 - the face
        """None."""
        return np.zeros((len(cells), 0))

    def codes(self, cells: Cells) -> NDArray[np.int64]:
        """`[N, 1]`.

        Raises:
            UserError: train has words, and these are all numbers that it does not have.
        """
        distinct, where = factorised(cells)
        codes = np.array([self._code(str(v)) for v in distinct], np.int64)
        strange = UNSEEN in codes and not (codes >= FIRST).any()
        if strange and cells.dtype.kind == "f" and not self.numeric:
            raise UserError(
                f"column '{self.name}' holds numbers; in train it has words:"
                f" {', '.join(self.values[:5])}.",
                "Is it the column it is called after?",
            )
        return codes[where][:, None]

    def _code(self, value: str) -> int:
        code = self._codes.get(value)
        return self._folded.get(value.lower(), UNSEEN) if code is None else code


def _one_spelling(
    values: NDArray[Any], codes: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Distinct truths and numbers of them, those in another case counted with the first."""
    if not are_truths(v for v in values if v):
        return values, codes
    spelt: dict[str, int] = {}
    first = np.array([spelt.setdefault(str(v).lower(), i) for i, v in enumerate(values)])
    return values, first[codes]


class Date:
    """How late it is, by rank; where in the year, the week and the day, as points on circles."""

    kind: ClassVar[str] = "date"
    CIRCLES: ClassVar[tuple[float, ...]] = (365.2425, 7.0, 1.0)  # days

    def __init__(self, form: str, late: Number, circles: list[float]) -> None:
        self.name, self.form, self.late, self.circles = late.name, form, late, circles
        even = [float(v) for v in np.linspace(-1, 1, 9)]
        self.edges = [*late.edges, *([even] * (2 * len(circles)))]
        self.cardinalities = late.cardinalities

    @classmethod
    def fit(cls, name: str, cells: Cells, names: Names, form: str) -> Date:
        """form: how dates are written."""
        days = days_of(name, cells, names, form)
        there = days[~np.isnan(days)]
        span = float(there.max() - there.min())
        timed = bool((there != np.floor(there)).any())
        circles = [c for c in cls.CIRCLES if span >= c and (c > 1 or timed)]
        return cls(form, Number.fit(name, days, names, ranks=True), circles)

    def state(self) -> dict[str, Any]:
        """As JSON can hold it."""
        late = {**self.late.state(), "kind": self.kind}
        return {**late, "form": self.form, "circles": self.circles}

    def numbers(self, cells: Cells, names: Names) -> NDArray[np.float64]:
        """`[N, 1 + 2 · circles]`."""
        days = days_of(self.name, cells, names, self.form)
        parts = [self.late.numbers(days, names)]
        for circle in self.circles:
            angle = np.nan_to_num(2 * np.pi * days / circle)[:, None]
            parts += [np.sin(angle), np.cos(angle)]
        return np.concatenate(parts, axis=1)

    def codes(self, cells: Cells) -> NDArray[np.int64]:
        """Whether it is missing, where train has a gap."""
        return self.late.codes(cells)


def column_from(state: dict[str, Any]) -> Column:
    """What a column's `state` described."""
    if state["kind"] in ("category", "boolean"):
        numeric = bool(state["numeric"])
        return Category(state["name"], list(state["values"]), state["kind"], numeric=numeric)
    late = Number(state["name"], state["at"], state["to"], state["edges"], gaps=state["gaps"])
    if state["kind"] == "number":
        return late
    late.edges = late.edges[:1]
    return Date(state["form"], late, list(state["circles"]))


def parsed(name: str, cells: Cells, names: Names) -> NDArray[np.float64]:
    """Cells `[N]` as numbers, NaN where one is missing.

    Raises:
        UserError: one is neither; its row and column are named.
    """
    if cells.dtype.kind == "f":
        return cells
    numbers = [as_number(str(cell)) if cell else np.nan for cell in cells]
    bad = [i for i, number in enumerate(numbers) if number is None]
    if bad:
        more = f" ({len(bad):,} cells are like this)" if bad[1:] else ""
        raise UserError(
            f"{names[bad[0]]}, column '{name}': '{cells[bad[0]]}' is no number{more}.",
            f"Mend the cell or leave it empty; if words belong there, --set"
            f" modality.types.{name}=category",
        )
    return np.array(numbers, dtype=np.float64)


def days_of(name: str, cells: Cells, names: Names, form: str) -> NDArray[np.float64]:
    """Cells `[N]` as days since 1970, NaN where one is missing.

    Raises:
        UserError: one is no date as train writes them; its row and column are named.
    """
    distinct, where = factorised(cells)
    days = np.array([day_of(str(v), form) for v in distinct])
    wrong = [str(v) for v, day in zip(distinct, days, strict=True) if v and np.isnan(day)]
    if wrong:
        row = int(np.flatnonzero(distinct[where] == wrong[0])[0])
        written = "2026-11-25" if form == "iso" else form
        raise UserError(
            f"{names[row]}, column '{name}': '{wrong[0]}' is no date as train writes them"
            f" ({written}).",
            "Mend the cell or leave it empty.",
        )
    return days[where]


def curve_of(there: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Points of a rising curve from values to normal deviates of their ranks.

    Equal values have the middle of their ranks; between two points it is straight.
    """
    values, counts = np.unique(there, return_counts=True)
    if len(values) < 2:
        return [float(v) for v in values] or [0.0], [0.0] * max(1, len(values))
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    if len(values) > POINTS:
        wanted = np.linspace(0, 1, POINTS)
        index = np.unique(np.searchsorted(middle, wanted).clip(0, len(values) - 1))
        index = np.union1d(index, [0, len(values) - 1])
        values, middle = values[index], middle[index]
    return [float(v) for v in values], [float(v) for v in ndtri(middle)]


def line_of(there: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Two points of the line that gives mean 0 and deviation 1."""
    if len(there) == 0 or there.min() == there.max():
        return [float(there[0]) if len(there) else 0.0], [0.0]
    low, high = float(there.min()), float(there.max())
    mean, deviation = float(there.mean()), float(there.std())
    return [low, high], [(low - mean) / deviation, (high - mean) / deviation]


def mapped(values: NDArray[np.float64], at: list[float], to: list[float]) -> NDArray[np.float64]:
    """Values along a curve; outside it goes on as its ends do, a few deviations at most."""
    if len(at) < 2:
        return np.where(np.isnan(values), np.nan, to[0])
    x, y = np.array(at), np.array(to)
    found = np.interp(values, x, y)
    slope = (y[-1] - y[0]) / (x[-1] - x[0])
    found = np.where(values > x[-1], y[-1] + np.minimum(slope * (values - x[-1]), TAIL), found)
    low = y[0] + np.maximum(slope * (values - x[0]), -TAIL)
    whole: NDArray[np.float64] = np.where(values < x[0], low, found)
    return whole


def edges_of(normal: NDArray[np.float64]) -> list[float]:
    """Edges that cut normalised values into at most `EDGES` parts, about as many values in each.

    A value that would fill a part alone is an edge, and the parts that are left are for the others,
    as LightGBM bins them: where nine values in ten are 0, quantiles of all would leave one part in
    ten for what tells rows apart.
    """
    if len(normal) == 0:
        return [-1.0, 1.0]
    values, counts = np.unique(normal, return_counts=True)
    often = counts * EDGES >= len(normal)
    others = np.repeat(values[~often], counts[~often])
    found = values[often]
    if len(others):
        parts = EDGES - int(often.sum())
        found = np.union1d(found, np.quantile(others, np.linspace(0, 1, parts + 1)))
    # Networks compute in float32: two edges that it cannot tell apart are a part of no width.
    found = np.unique(found.astype(np.float32))
    return [float(v) for v in found] if len(found) > 1 else [float(found[0]), float(found[0]) + 1]
