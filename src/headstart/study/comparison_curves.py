"""Curves over the number of labels, with bands, as SVG that is read by people and by machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headstart.study.axis import Axis, Dot, Tick, of_figures
from headstart.study.figures import Kind, in_words, kind_of

WIDTH, HEIGHT = 760, 430
LEFT, RIGHT, TOP, BOTTOM = 92, 20, 16, 56
COLOURS = 6  # of the style sheet, --c0 to --c5
SHAPES = ("circle", "square", "diamond", "triangle")
DASHES = {"linear probe": "7 4", "neighbours": "2 4", "baseline": "10 4 2 4"}


@dataclass(frozen=True)
class Line:
    """A method's curve. band, path: SVG; shown: whether it is at first."""

    name: str
    way: str
    colour: str
    dash: str
    dots: list[Dot]
    path: str
    band: str
    shown: bool


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
    below: str
    described: str


class _Scale:
    """Figures → places on the paper."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.counts = [point["labels"] for point in found["labels"]]
        kind = kind_of(found["metric"])
        values = [
            value
            for method in found["methods"]
            for point in method["points"]
            for value in [point["mean"], *point["values"]]
            if value is not None
        ]
        self.up = of_figures(values, kind, HEIGHT - BOTTOM, TOP)
        first, last = self.counts[0], self.counts[-1]
        self.across = Axis(first, last, LEFT + 24, WIDTH - RIGHT - 24, logarithmic=True)


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
        [Tick(scale.across.at(n), f"{n:,}") for n in scale.counts],
        [Tick(scale.up.at(v), kind.write(v)) for v in scale.up.round_numbers()],
        f"{metric} on the test split" + (", logarithmic" if scale.up.logarithmic else ""),
        "labels (logarithmic)",
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
        place = scale.across.at(point["labels"]), scale.up.at(point["mean"])
        dots.append(Dot(*place, text, shape, colour))
    path = " ".join(f"{'L' if i else 'M'}{d.x:.1f},{d.y:.1f}" for i, d in enumerate(dots))
    bounded = [p for p in there if p.get("high") is not None]
    edge = [(scale.across.at(p["labels"]), scale.up.at(p["high"])) for p in bounded]
    edge += [(scale.across.at(p["labels"]), scale.up.at(p["low"])) for p in reversed(bounded)]
    if len(bounded) == 1:  # a band needs width
        (x, high), (_, low) = edge
        edge = [(x - 8, high), (x + 8, high), (x + 8, low), (x - 8, low)]
    band = " ".join(f"{x:.1f},{y:.1f}" for x, y in edge)
    dash = DASHES.get(method["way"], "")
    return Line(method["name"], method["way"], colour, dash, dots, path, band, shown)
