"""What a search found, as one page that needs nothing else: what mattered, and how it went."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.report.page import Plot, new_figure
from headstart.runs.atomic import write_text
from headstart.settings.files import to_yaml
from headstart.study.tuning_journal import Journal
from headstart.study.tuning_spaces import Choice, Knob

if TYPE_CHECKING:
    import optuna

PAGE = "tune.html"
SHOWN = 6  # settings that get a plot of their own
INK, ACCENT, PALE = "#332288", "#CC6677", "#999999"


def write_page(out: Path, result: dict[str, Any], journal: Journal) -> None:
    """Write `tune.html` into the folder of a search."""
    from jinja2 import Environment

    done = journal.done()
    plots = [p for p in (_history(done, result), _importance(result)) if p is not None]
    most = list(result["importance"])[:SHOWN] or [k.name for k in journal.knobs[:SHOWN]]
    by_name = {knob.name: knob for knob in journal.knobs}
    slices = [_slice(done, by_name[name], result) for name in most] if len(done) > 1 else []
    template = files("headstart.study").joinpath("tuning_page.html").read_text(encoding="utf-8")
    text = (
        Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        .from_string(template)
        .render(
            result=result,
            verdict=verdict(result),
            plots=plots,
            slices=slices,
            importance=[(n, f"{s:.1%}") for n, s in result["importance"].items()],
            rows=_rows(journal, result),
            settings=(out / "best.yaml").read_text(encoding="utf-8") if done else "",
            changed=to_yaml(result["changed"]) if result["changed"] else "",
            commands="\n".join(result["commands"]),
        )
    )
    write_text(out / PAGE, text)


def verdict(result: dict[str, Any]) -> str:
    """In words: was anything better than the defaults?"""
    if result["best"] is None:
        return "No trial has ended yet."
    best, default = result["best"], result["default"]
    name = result["metric"].replace("_", " ")
    if default is None:
        return f"The best trial reached a validation {name} of {best:.4f}."
    if result["best_trial"] == 0 or best == default:
        return f"Nothing was better than the defaults: validation {name} {default:.4f}."
    return (
        f"Trial {result['best_trial']} is the best: validation {name} {best:.4f}, against"
        f" {default:.4f} with the defaults. The best of many trials is flattered by chance: only"
        " data that were set aside can say how much of it lasts."
    )


def _rows(journal: Journal, result: dict[str, Any]) -> list[list[str]]:
    rows = []
    for t in journal.trials():
        value = f"{t.value:.4f}" if t.state.name == "COMPLETE" else t.state.name.lower()
        mark = "best" if t.number == result["best_trial"] else "defaults" if t.number == 0 else ""
        settings = ", ".join(f"{n.rpartition('.')[2]} {_short(v)}" for n, v in t.params.items())
        seconds = f"{t.user_attrs.get('seconds', 0.0):.0f}"
        rows.append([str(t.number), value, seconds, mark, settings])
    return rows


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _history(done: Sequence[optuna.trial.FrozenTrial], result: dict[str, Any]) -> Plot | None:
    if len(done) < 2:
        return None
    figure, axes = new_figure(7, 3.2)
    numbers = [t.number for t in done]
    values = np.array([t.value for t in done], dtype=float)
    up = result["direction"] == "maximize"
    axes.scatter(numbers, values, s=18, color=PALE, label="trial")
    best = np.maximum.accumulate(values) if up else np.minimum.accumulate(values)
    axes.step(numbers, best, where="post", color=INK, label="best so far")
    if result["default"] is not None:
        axes.axhline(result["default"], color=ACCENT, ls="--", lw=1, label="defaults")
    axes.set_xlabel("trial")
    axes.set_ylabel(f"validation {result['metric'].replace('_', ' ')}")
    axes.legend(frameon=False, fontsize=8)
    return Plot(
        "history", "How the search went", figure,
        "Each dot is a trial that ran to the end. A line that still climbs at the right end asks"
        " for more trials.",
    )  # fmt: skip


def _importance(result: dict[str, Any]) -> Plot | None:
    shares = list(result["importance"].items())[::-1]
    if not shares:
        return None
    figure, axes = new_figure(7, 0.6 + 0.3 * len(shares))
    axes.barh([name for name, _ in shares], [share for _, share in shares], color=INK)
    axes.set_xlabel("share of the spread between trials")
    return Plot(
        "importance", "What mattered", figure,
        "How much of the difference between trials each setting explains, over its whole range"
        " (functional ANOVA). What matters little may stay as it is.",
    )  # fmt: skip


def _slice(done: Sequence[optuna.trial.FrozenTrial], knob: Knob, result: dict[str, Any]) -> Plot:
    figure, axes = new_figure(3.4, 2.6)
    name, categories = knob.name, isinstance(knob.range, Choice)
    pairs = [(t.params[name], t.value, t.number) for t in done if name in t.params]
    keys = list(dict.fromkeys(str(p[0]) for p in pairs)) if categories else []
    where = [keys.index(str(p[0])) if categories else p[0] for p in pairs]
    colours = [ACCENT if p[2] == result["best_trial"] else INK for p in pairs]
    axes.scatter(where, [p[1] for p in pairs], s=16, c=colours, alpha=0.8)
    if categories:
        axes.set_xticks(range(len(keys)), keys, rotation=30, ha="right", fontsize=7)
    elif not isinstance(knob.range, Choice) and knob.range.log:
        axes.set_xscale("log")
    axes.set_xlabel(f"{name}, share of the usual" if knob.share else name, fontsize=8)
    axes.set_ylabel(result["metric"].replace("_", " "), fontsize=8)
    axes.tick_params(labelsize=7)
    return Plot(name, name, figure, "")
