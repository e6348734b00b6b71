"""An n-gram language model of units, smoothed by interpolation (Witten and Bell, 1991).

P(u | h) = (count(h u) + kinds(h) · P(u | h without its first)) / (count(h) + kinds(h)),
kinds(h) being how many different units follow h; the empty history falls back on even chances.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

END = 0  # no unit has this number: it closes a text, and stands before it


class Ngrams:
    """counts: of each n-gram of 1 to `order` units, written as numbers parted by spaces."""

    def __init__(self, counts: dict[str, int], order: int, units: int) -> None:
        self.order, self.units = order, units
        self._follow: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
        self._known: dict[tuple[tuple[int, ...], int], float] = {}
        for gram, count in counts.items():
            *history, unit = map(int, gram.split())
            self._follow[tuple(history)][unit] = count

    def log_probability(self, unit: int, history: Sequence[int]) -> float:
        """Of a unit (or `END`) after all those before it."""
        before = (END, *history)[-(self.order - 1) :] if self.order > 1 else ()
        key = (tuple(before), unit)
        if key not in self._known:
            self._known[key] = math.log(self._probability(unit, key[0]))
        return self._known[key]

    def _probability(self, unit: int, history: tuple[int, ...]) -> float:
        follow = self._follow.get(history, {})
        shorter = self._probability(unit, history[1:]) if history else 1 / (self.units + 1)
        if not follow:
            return shorter
        kinds = len(follow)
        return (follow.get(unit, 0) + kinds * shorter) / (sum(follow.values()) + kinds)


def count(rows: Sequence[Sequence[int]], order: int) -> dict[str, int]:
    """N-grams of 1 to `order` units in texts that begin and end."""
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        whole = [END, *row, END]
        for n in range(1, order + 1):
            for i in range(max(1, n - 1), len(whole)):
                counts[" ".join(map(str, whole[i - n + 1 : i + 1]))] += 1
    return dict(counts)
