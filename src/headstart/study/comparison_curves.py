"""Curves over the number of labels, with bands, as SVG that is read by people and by machines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from headstart.study.figures import Kind, in_words, kind_of

WIDTH, HEIGHT = 760, 430
LEFT, RIGHT, TOP, BOTTOM = 92, 20, 16, 56
COLOURS = 6  # of the style sheet, --c0 to --c5
SHAPES = ("circle", "square", "diamond", "triangle")
DECADE = 8.0  # figures that differ by more than this factor are drawn on a logarithmic axis
DASHES = {"linear probe": "7 4", "neighbours": "2 4", "baseline": "10 4 2 4"}


@dataclass(frozen=True)
class Dot:
    """A measured point: where it is drawn, and what it says."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Line:
    """A method's curve. band, path: SVG; shown: whether it is at first."""

    name: str
    way: str
    colour: str
    dash: str
    shape: str
    dots: list[Dot]
    path: str
    band: str
    shown: bool


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Drawing:
    """Everything that the template draws."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    lines: list[Line]
    across: list[Tick]
    up: list[Tick]
    axis: str
    described: str


class _Scale:
    """Figures → places on the paper."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.counts = [max(1, point["labels"]) for point in found["labels"]]
        kind = kind_of(found["metric"])
        ends = [
            value
            for method in found["methods"]
            for point in method["points"]
            for value in [point["mean"], *point["values"]]
            if value is not None
        ] or [0.0, 1.0]
        self.low, self.high = min(ends), max(ends)
        self.logarithmic = self.low > 0 and self.high / self.low > DECADE and kind.smaller
        if self.logarithmic:
            self.low, self.high = self.low / 1.25, self.high * 1.25
        else:
            room = 0.08 * (self.high - self.low or abs(self.high) or 1.0)
            self.low, self.high = self.low - room, self.high + room
            if kind.percent:
                self.low, self.high = max(0.0, self.low), min(1.0, self.high)

    def x(self, labels: int) -> float:
        """Of a number of labels: by its logarithm."""
        first, last = math.log(self.counts[0]), math.log(self.counts[-1])
        share = 0.5 if first == last else (math.log(max(1, labels)) - first) / (last - first)
        return LEFT + 24 + share * (WIDTH - LEFT - RIGHT - 48)

    def y(self, value: float) -> float:
        """Of a figure; what lies outside the paper is put on its edge."""
        value = min(max(value, self.low), self.high)
        bend = math.log if self.logarithmic else float
        share = (bend(value) - bend(self.low)) / (bend(self.high) - bend(self.low))
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def drawn(found: dict[str, Any]) -> Drawing:
    """The curves of a comparison."""
    kind, scale = kind_of(found["metric"]), _Scale(found)
    sources = [m["name"] for m in found["methods"] if m["way"] == "fine-tuned"]
    others = [m["name"] for m in found["methods"] if m["way"] == "baseline"]
    best = _best_baseline(found)
    lines = []
    for method in found["methods"]:
        name = method["name"]
        if method["source"] in sources:
            place = sources.index(method["source"])
        else:
            place = len(sources) + (others.index(name) if name in others else 0)
        shown = method["way"] in ("fine-tuned", "scratch") or name == best
        colour = "var(--ink)" if method["way"] == "scratch" else f"var(--c{place % COLOURS})"
        lines.append(_line(method, scale, kind, colour, SHAPES[place % len(SHAPES)], shown=shown))
    metric = in_words(found["metric"])
    return Drawing(
        WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, lines,
        [Tick(scale.x(n), f"{n:,}") for n in scale.counts],
        [Tick(scale.y(v), kind.write(v)) for v in _round_numbers(scale)],
        f"{metric} on the test split" + (", logarithmic" if scale.logarithmic else ""),
        f"{metric.capitalize()} over the number of labels, a curve for each method; the table below"
        " has the same figures.",
    )  # fmt: skip


def _best_baseline(found: dict[str, Any]) -> str | None:
    """The classical model that is shown at first: the best with most labels."""
    ends = {
        m["name"]: m["points"][-1]["mean"]
        for m in found["methods"]
        if m["way"] == "baseline" and m["points"] and m["points"][-1]["mean"] is not None
    }
    pick = min if found["smaller_is_better"] else max
    return pick(ends, key=lambda n: ends[n]) if ends else None


def _line(
    method: dict[str, Any], scale: _Scale, kind: Kind, colour: str, shape: str, *, shown: bool
) -> Line:
    there = [point for point in method["points"] if point["mean"] is not None]
    dots = []
    for point in there:
        text = f"{method['name']}, {point['labels']:,} labels: {kind.write(point['mean'])}"
        if point.get("high") is not None:
            text += f" (95 % interval {kind.write(point['low'])} to {kind.write(point['high'])})"
        text += f"; draws: {', '.join(kind.write(v) for v in point['values'])}"
        dots.append(Dot(scale.x(point["labels"]), scale.y(point["mean"]), text))
    path = " ".join(f"{'L' if i else 'M'}{d.x:.1f},{d.y:.1f}" for i, d in enumerate(dots))
    bounded = [p for p in there if p.get("high") is not None]
    edge = [(scale.x(p["labels"]), scale.y(p["high"])) for p in bounded]
    edge += [(scale.x(p["labels"]), scale.y(p["low"])) for p in reversed(bounded)]
    if len(bounded) == 1:  # a band needs width
        (x, high), (_, low) = edge
        edge = [(x - 8, high), (x + 8, high), (x + 8, low), (x - 8, low)]
    band = " ".join(f"{x:.1f},{y:.1f}" for x, y in edge)
    dash = DASHES.get(method["way"], "")
    return Line(method["name"], method["way"], colour, dash, shape, dots, path, band, shown)


def _round_numbers(scale: _Scale) -> list[float]:
    """Some five round numbers within the paper."""
    low, high = scale.low, scale.high
    if scale.logarithmic:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [m * 10.0**e for e in decades for m in (1, 2, 5)]
        return [v for v in found if low <= v <= high]
    step = 10 ** math.floor(math.log10((high - low) / 4))
    while (high - low) / step > 7:
        step *= 2 if (high - low) / step <= 14 else 5
    first = math.ceil(low / step)
    return [i * step for i in range(first, math.floor(high / step) + 1)]
