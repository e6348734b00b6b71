"""A search as one page: was anything better, how it went, what mattered, how to repeat it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from headstart.errors import UserError
from headstart.report.page import style
from headstart.runs.atomic import write_text
from headstart.settings.files import read_yaml, to_yaml
from headstart.study import tuning_charts as charts
from headstart.study.figures import in_words, kind_of
from headstart.study.pages import templates
from headstart.study.tuning_config import ASKED

RESULT, PAGE = "result.json", "report.html"
FLATTERED = (
    "The best of many trials is flattered by chance: only data that were set aside can say how much"
    " of it lasts."
)
FILES = ("best-pretraining.yaml", "best.yaml")
FEWER = {"pruned": 1, "running": 2, "fail": 3}  # where the table has trials without a figure


def is_search(folder: Path) -> bool:
    """Whether a folder is a search's."""
    return (folder / ASKED).exists()


def build(folder: Path) -> Path:
    """Write the page of a search into its folder; returns its path.

    Raises:
        UserError: nothing was found yet.
    """
    if not (folder / RESULT).exists():
        raise UserError(f"the search {folder} has no result yet.", "Repeat its command to go on.")
    result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    page = folder / PAGE
    write_text(page, rendered(result, read_yaml(folder / ASKED), folder))
    return page


def rendered(result: dict[str, Any], asked: dict[str, Any], folder: Path) -> str:
    """The page's text."""
    looks = {charts.looks(trial, result) for trial in result["tried"]}
    kept = [folder / name for name in FILES if (folder / name).exists()]
    return (
        templates()
        .get_template("tuning.html")
        .render(
            style=style(),
            result=result,
            metric=in_words(result["metric"]),
            verdict=verdict(result).removesuffix(FLATTERED),
            better=better(result),
            flattered=FLATTERED,
            changed=charts.changes(result["changed"]),
            asked=_asked(result, asked),
            course=charts.course(result),
            legend=[look for name, look in charts.LOOKS.items() if name in looks],
            settings=_settings(result),
            slices=charts.settings(result),
            trials=_trials(result),
            commands=commands(result, folder),
            files=[(path.name, path.read_text(encoding="utf-8")) for path in kept],
            asked_file=to_yaml(asked),
        )
    )


def better(result: dict[str, Any]) -> bool:
    """Whether a trial beat the defaults."""
    default, best = result["default"], result["best"]
    return best is not None and result["best_trial"] != 0 and best != default


def verdict(result: dict[str, Any]) -> str:
    """In words: was anything better than the defaults?"""
    if result["best"] is None:
        return "No trial has ended yet."
    metric = result["metric"]
    name, best = in_words(metric), charts.written(result["best"], metric)
    if result["default"] is None:
        return f"The best trial reached a validation {name} of {best}."
    default = charts.written(result["default"], metric)
    if not better(result):
        return f"Nothing was better than the defaults: validation {name} {default}."
    return (
        f"Trial {result['best_trial']} is the best: validation {name} {best}, against {default}"
        f" with the defaults. {FLATTERED}"
    )


def _asked(result: dict[str, Any], asked: dict[str, Any]) -> list[tuple[str, str]]:
    """What was asked, a row each."""
    about, how = result["about"], asked.get("search", {})
    duration = asked.get("training", {}).get("duration")
    trials = f"{how['trials']:,}" if how.get("trials") else "30, or as many as --minutes allowed"
    start = f"the run {asked['start']}" if asked.get("start") else "scratch"
    if how.get("objective"):
        start = f"a pre-training of its own by {how['objective']}, {how['pretrain_steps']:,} steps"
    judges = "one part of the labels"
    if result["folds"] > 1:
        judges = f"{result['folds']} parts of the labels that take turns"
    rows = [
        ("data", result["data"]),
        ("kind", about["kind"]),
        ("samples to learn from", f"{about['samples']:,}, {about['labels']:,} labels of them used"),
        ("task", about["task"]),
        ("network", about["backbone"]),
        ("each trial starts from", start),
        ("and learns for", duration or "as long as finetune takes by itself"),
        ("judged by", f"validation {in_words(result['metric'])}, on {judges}"),
        ("trials", trials),
        ("trials that lag behind", "ended early" if how.get("prune", True) else "go on"),
    ]
    given = ", ".join(f"{name} {value}" for name, value in about["given"].items())
    return [*rows, ("given, so not varied", given)] if given else rows


def _settings(result: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a setting that varied, what mattered most first."""
    best = next((t for t in result["tried"] if t["number"] == result["best_trial"]), None)
    most = max((knob["importance"] or 0.0 for knob in result["varied"]), default=0.0) or 1.0
    rows = []
    for knob in charts.by_importance(result):
        if "values" in knob:
            between = "; ".join(charts.value_in_words(v, knob) for v in knob["values"])
        else:
            ends = f"{knob['low']:g} to {knob['high']:g}" + (" × usual" if knob["share"] else "")
            between = f"{ends}, by ratios" if knob["log"] else ends
        default = charts.value_in_words(knob["default"], knob) if "default" in knob else "–"
        chosen = "–" if best is None else charts.value_in_words(best["values"][knob["name"]], knob)
        share = knob["importance"]
        rows.append(
            {
                "name": knob["name"],
                "between": between,
                "default": default,
                "best": chosen,
                "moved": chosen not in ("–", default),
                "share": None if share is None else f"{share:.1%}",
                "length": round(5.5 * (share or 0.0) / most, 2),
            }
        )
    return rows


def _trials(result: dict[str, Any]) -> list[dict[str, str]]:
    """A row a trial: the best first, then those without a figure."""
    sign = 1 if kind_of(result["metric"]).smaller else -1

    def order(trial: dict[str, Any]) -> tuple[int, float, int]:
        value = trial["value"] if trial["state"] == "complete" else 0.0
        return FEWER.get(trial["state"], 0), sign * value, trial["number"]

    rows = []
    for trial in sorted(result["tried"], key=order):
        done = trial["state"] == "complete"
        look = charts.looks(trial, result)
        words = charts.said(trial, result)
        if done:
            words = "" if look == "complete" else charts.LOOKS[look][2]
        rows.append(
            {
                "number": str(trial["number"]),
                "figure": charts.written(trial["value"], result["metric"]) if done else "–",
                "seconds": f"{trial['seconds']:,.0f}" if trial["seconds"] else "–",
                "said": words,
                "look": look,
                "changed": charts.turned(trial),
            }
        )
    return rows


def commands(result: dict[str, Any], folder: Path) -> list[tuple[str, str]]:
    """What to type: the best settings, more trials, the search anew."""
    file = shlex.quote(str(folder / ASKED))
    begun = len(result["tried"])
    said = []
    if result["best"] is not None:
        what = "train with the best settings, and read the test split once"
        said.append((what, "\n".join(result["commands"])))
    said.append(
        (
            "go on with this search, to twice as many trials",
            f"headstart tune --config {file} --out {shlex.quote(str(folder))}"
            f" --trials {2 * max(1, begun)}",
        )
    )
    again = f"headstart tune --config {file} --out NEW"
    return [*said, ("search anew, with the same question", again)]
