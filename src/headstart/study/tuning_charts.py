"""A search as drawings: how it went, trial by trial, and the figures over each setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headstart.study.axis import Axis, Dot, Tick, of_figures
from headstart.study.figures import in_words, kind_of

WIDTH, HEIGHT = 760, 360
LEFT, RIGHT, TOP, BOTTOM = 92, 20, 16, 56
SIDE, LOW = 320, 220  # of the drawing of one setting
ROOM = 5.6  # that a letter beside an axis takes
SHOWN = 6  # settings that are drawn
# How trials are told apart: shape and colour, and what they are called in the legend.
LOOKS = {
    "best": ("diamond", "var(--c2)", "the best"),
    "defaults": ("square", "var(--c4)", "the defaults"),
    "complete": ("circle", "var(--c0)", "ran to the end"),
    "pruned": ("hollow", "var(--soft)", "ended early, at its last figure"),
    "fail": ("cross", "var(--c1)", "could not be trained"),
    "running": ("hollow", "var(--c3)", "has not ended"),
}


@dataclass(frozen=True)
class Chart:
    """Everything that the template draws. path: of the best so far; level: of the defaults."""

    name: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    up: list[Tick]
    across: list[Tick]
    axis: str
    below: str
    described: str
    dots: list[Dot]
    path: str = ""
    level: float | None = None


def looks(trial: dict[str, Any], result: dict[str, Any]) -> str:
    """Which of `LOOKS` a trial has."""
    if trial["state"] == "complete":
        if trial["number"] == result["best_trial"]:
            return "best"
        return "defaults" if trial["number"] == 0 else "complete"
    return str(trial["state"])


def written(value: float, metric: str) -> str:
    """A figure of a trial: four places, as in `trials.csv` and on the command line."""
    return f"{value:.4f}" if kind_of(metric).percent else f"{value:.4g}"


def said(trial: dict[str, Any], result: dict[str, Any]) -> str:
    """How a trial ended, in words."""
    look, metric = looks(trial, result), result["metric"]
    if trial["state"] == "fail":
        return f"could not be trained: {trial['why']}"
    if trial["state"] == "complete":
        of = f"{in_words(metric)} {written(trial['value'], metric)}"
        return of if look == "complete" else f"{of}, {LOOKS[look][2]}"
    words = "ended early" if trial["state"] == "pruned" else "has not ended"
    if trial["reached"] is None:
        return words
    figure = f"{in_words(metric)} {written(trial['reached']['value'], metric)}"
    return f"{words} after {trial['reached']['share']:.0%} of its training, at {figure}"


def course(result: dict[str, Any]) -> Chart:
    """The figure of every trial in order, and the best so far."""
    metric, tried = result["metric"], result["tried"]
    kind = kind_of(metric)
    figures = {t["number"]: t["value"] for t in tried if t["state"] == "complete"}
    shown = figures | {
        t["number"]: t["reached"]["value"]
        for t in tried if t["state"] in ("pruned", "running") and t["reached"] is not None
    }  # fmt: skip
    up = of_figures(list(shown.values()), kind, HEIGHT - BOTTOM, TOP)
    across = Axis(0, max(1, len(tried) - 1), LEFT + 24, WIDTH - RIGHT - 24)
    dots = []
    for trial in tried:
        look = looks(trial, result)
        number = trial["number"]
        y = up.at(shown[number]) if number in shown else float(HEIGHT - BOTTOM)
        text = f"trial {number}: {said(trial, result)}; {turned(trial)}"
        dots.append(Dot(across.at(number), y, text, *LOOKS[look][:2]))
    numbers = [n for n in across.round_numbers(8) if n == int(n)]
    return Chart(
        "course", WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM,
        [Tick(up.at(v), f"{v:g}") for v in map(_rounded, up.round_numbers())],
        [Tick(across.at(n), f"{n:g}") for n in numbers],
        f"validation {in_words(metric)}" + (", logarithmic" if up.logarithmic else ""),
        "trial",
        f"Validation {in_words(metric)} of each trial in order; the table below has the same.",
        dots, _best_so_far(figures, result, across, up),
        None if result["default"] is None else up.at(result["default"]),
    )  # fmt: skip


def _best_so_far(figures: dict[int, float], result: dict[str, Any], across: Axis, up: Axis) -> str:
    """A path in steps. figures: of the trials that ran to the end, by number."""
    if not figures:
        return ""
    pick = min if result["direction"] == "minimize" else max
    best, path = None, ""
    for number, value in figures.items():
        now = value if best is None else pick(best, value)
        if now != best:
            x, y = f"{across.at(number):.1f}", f"{up.at(now):.1f}"
            path += f" H{x} V{y}" if path else f"M{x},{y}"
        best = now
    return f"{path} H{across.end}"


def settings(result: dict[str, Any]) -> list[Chart]:
    """The figures of trials that ran to the end over each setting, the most important first."""
    done = [t for t in result["tried"] if t["state"] == "complete"]
    if len(done) < 2:
        return []
    return [_setting(knob, done, result) for knob in by_importance(result)[:SHOWN]]


def by_importance(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The settings that varied, what mattered most first."""
    return sorted(result["varied"], key=lambda knob: -(knob["importance"] or 0.0))


def _setting(knob: dict[str, Any], done: Sequence[dict[str, Any]], result: dict[str, Any]) -> Chart:
    name, metric = knob["name"], result["metric"]
    rows: Sequence[Any] = knob.get("values", ())
    if rows:
        texts = [value_in_words(value, knob) for value in rows]
        axis = Axis(-0.6, len(rows) - 0.4, LOW - BOTTOM, TOP + 8)
        up = [Tick(axis.at(i), text) for i, text in enumerate(texts)]
    else:
        axis = Axis(knob["low"], knob["high"], LOW - BOTTOM - 10, TOP + 8, knob["log"])
        up = [Tick(axis.at(v), f"{v:g}") for v in map(_rounded, axis.round_numbers())]
    left = round(16 + ROOM * max(len(tick.text) for tick in up))
    across = of_figures([t["value"] for t in done], kind_of(metric), left + 12, SIDE - 28)
    dots = []
    for trial in done:
        value = trial["values"][name]
        place = axis.at(list(rows).index(value) if rows else value)
        text = f"trial {trial['number']}: {value_in_words(value, knob)}; {said(trial, result)}"
        dots.append(Dot(across.at(trial["value"]), place, text, *LOOKS[looks(trial, result)][:2]))
    return Chart(
        name, SIDE, LOW, left, 12, TOP, BOTTOM, up,
        [Tick(across.at(v), f"{v:g}") for v in map(_rounded, across.round_numbers(3))],
        "", in_words(metric),
        f"Validation {in_words(metric)} of trials over {name}.", dots,
    )  # fmt: skip


def value_in_words(value: Any, knob: dict[str, Any]) -> str:
    """A value of a setting; of the rate, how many times the optimiser's usual one."""
    if value is None:
        return "by itself"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return f"{text} × usual" if knob["share"] else text


def changes(changed: dict[str, Any]) -> list[str]:
    """Settings that are not the default, each with its value."""
    return [
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in changed.items()
    ]


def turned(trial: dict[str, Any]) -> str:
    """The settings that a trial changed."""
    return ", ".join(changes(trial["changed"])) or "nothing changed"


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
