"""An axis of a drawing: values to places on the paper, and the round numbers beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from headstart.study.figures import Kind

DECADE = 8.0  # figures that differ by more than this factor are drawn on a logarithmic axis


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Dot:
    """A measured point: where it is drawn, what it says, and how it looks."""

    x: float
    y: float
    text: str
    shape: str = "circle"
    colour: str = "var(--c0)"


@dataclass(frozen=True)
class Axis:
    """Values between `low` and `high` → places between `begin` and `end` of the paper."""

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Of a value; what lies outside is put on the edge, and one value alone in the middle."""
        low, high = self._bent(self.low), self._bent(self.high)
        value = self._bent(min(max(value, self.low), self.high))
        share = 0.5 if low == high else (value - low) / (high - low)
        return self.begin + share * (self.end - self.begin)

    def _bent(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value

    def round_numbers(self, about: int = 4) -> list[float]:
        """Some `about` round numbers or a few more within it."""
        low, high = self.low, self.high
        if low == high:
            return [low]
        if self.logarithmic:
            decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            finer = (1, 2, 5) if len(decades) <= about else (1,)
            return [v for e in decades for m in finer if low <= (v := m * 10.0**e) <= high]
        step = 10 ** math.floor(math.log10((high - low) / about))
        while (high - low) / step > about + 3:
            step *= 2 if (high - low) / step <= 2 * (about + 3) else 5
        first = math.ceil(low / step)
        return [i * step for i in range(first, math.floor(high / step) + 1)]


def of_figures(values: Sequence[float], kind: Kind, begin: float, end: float) -> Axis:
    """The axis that holds `values` with some room, by ratios where errors differ much."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if kind.smaller and low > 0 and high / low > DECADE:
        return Axis(low / 1.25, high * 1.25, begin, end, logarithmic=True)
    room = 0.08 * (high - low or abs(high) or 1.0)
    low, high = low - room, high + room
    if kind.percent:
        low, high = max(0.0, low), min(1.0, high)
    return Axis(low, high, begin, end)
