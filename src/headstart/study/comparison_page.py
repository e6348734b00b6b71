"""A comparison as one page: the verdict first, then curves, tables, costs, commands."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from headstart.errors import UserError
from headstart.report.page import style
from headstart.runs.atomic import write_text
from headstart.settings import as_plain
from headstart.settings.files import read_yaml, to_yaml
from headstart.study.commands import data_flags
from headstart.study.comparison_curves import drawn
from headstart.study.config import CompareConfig
from headstart.study.figures import Kind, in_words, kind_of, probability
from headstart.study.pages import templates
from headstart.study.table import cell
from headstart.study.verdict import ALPHA, in_labels
from headstart.workflows.request import config_of

FOUND, ASKED, PAGE = "comparison.json", "compare.yaml", "report.html"


def is_comparison(folder: Path) -> bool:
    """Whether a folder is a comparison's."""
    return (folder / ASKED).exists()


def build(folder: Path) -> Path:
    """Write the page of a comparison into its folder; returns its path.

    Raises:
        UserError: it was never finished.
    """
    if not (folder / FOUND).exists():
        raise UserError(
            f"the comparison {folder} is not finished.", "Repeat the command that began it."
        )
    found = json.loads((folder / FOUND).read_text(encoding="utf-8"))
    config = config_of(CompareConfig, read_yaml(folder / ASKED))
    page = folder / PAGE
    write_text(page, rendered(found, config, folder))
    return page


def rendered(found: dict[str, Any], config: CompareConfig, folder: Path) -> str:
    """The page's text."""
    kind = kind_of(found["metric"])
    return (
        templates()
        .get_template("comparison.html")
        .render(
            style=style(),
            found=found,
            verdict=found["verdict"],
            metric=in_words(found["metric"]),
            curves=drawn(found),
            figures=_figures(found, kind),
            tests=_tests(found, kind),
            worth=_worth(found),
            costs=_costs(found),
            facts=_facts(found),
            commands=commands(config, folder),
            settings=to_yaml(as_plain(config)),
            alpha=f"{ALPHA:.0%}",
        )
    )


def _figures(found: dict[str, Any], kind: Kind) -> list[dict[str, Any]]:
    """A row a method: what stands in each cell, and each draw's figure."""
    rows = []
    best = _best(found)
    for method in found["methods"]:
        cells = []
        for point in method["points"]:
            each = ", ".join(kind.write(v) for v in point["values"])
            first = best.get(point["labels"]) == method["name"]
            cells.append({"text": cell(point, kind), "each": f"each draw: {each}", "best": first})
        rows.append({"name": method["name"], "way": method["way"], "cells": cells})
    return rows


def _best(found: dict[str, Any]) -> dict[int, str]:
    """For each number of labels the method with the best mean."""
    pick = min if found["smaller_is_better"] else max
    best = {}
    for i, point in enumerate(found["labels"]):
        means = {m["name"]: m["points"][i]["mean"] for m in found["methods"]}
        there = {name: mean for name, mean in means.items() if mean is not None}
        if there:
            best[point["labels"]] = pick(there, key=lambda n: there[n])
    return best


def _tests(found: dict[str, Any], kind: Kind) -> list[dict[str, Any]]:
    """A row a comparison, the fine-tuned networks' first."""
    counts = {point["asked"]: point["labels"] for point in found["labels"]}
    rows = []
    for one in sorted(found["comparisons"], key=lambda c: not c["main"]):
        better = (one["difference"] < 0) is found["smaller_is_better"]
        outcome = "no test"
        if one["adjusted"] is not None:
            sure = one["adjusted"] < ALPHA
            outcome = ("better" if better else "worse") if sure else "not shown"
        interval = "–"
        if one["low"] is not None:
            interval = f"{_signed(one['low'], kind)} to {_signed(one['high'], kind)}"
        rows.append(
            {
                "main": one["main"],
                "method": one["method"],
                "against": one["against"],
                "labels": f"{counts[one['asked']]:,}",
                "difference": _signed(one["difference"], kind),
                "interval": interval,
                "t": probability(one["p"]).removeprefix("p = "),
                "rank": probability(one["signed_rank"]).removeprefix("p = "),
                "adjusted": probability(one["adjusted"]).removeprefix("p = "),
                "outcome": outcome,
            }
        )
    return rows


def _signed(value: float, kind: Kind) -> str:
    """A difference, in points where figures are in per cent."""
    return f"{100 * value:+.2f}" if kind.percent else f"{value:+.4g}"


def _worth(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["method"], f"{one['labels']:,} labels {in_labels(one)}") for one in found["worth"]]


def _costs(found: dict[str, Any]) -> list[list[str]]:
    """What each took: pre-trainings once, all else a draw on average."""
    rows = [
        [
            f"pre-training by {one['name']}, once",
            "" if one["steps"] is None else f"{one['steps']:,}",
            _seconds(one["wall_seconds"]),
            _seconds(one["cpu_seconds"]),
        ]
        for one in found["pretraining"]
    ]
    for method in found["methods"]:
        walls = [p["wall_seconds"] for p in method["points"] if p["wall_seconds"] is not None]
        cpus = [p["cpu_seconds"] for p in method["points"] if p["cpu_seconds"] is not None]
        if walls:
            steps = ""
            mean = [sum(part) / len(part) for part in (walls, cpus)]
            rows.append([f"{method['name']}, a draw", steps, *map(_seconds, mean)])
    return rows


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    facts = found["facts"]
    rows = [("data", str(found["data"])), ("kind", facts["kind"]), ("task", found["task"])]
    for name, count in facts["samples"].items():
        labelled = facts["labelled"][name]
        rows.append((f"{name} samples", f"{count:,}, {labelled:,} of them with a label"))
    classes = facts.get("classes", {})
    if 0 < len(classes) <= 30:
        shares = ", ".join(f"{name} {count:,}" for name, count in classes.items())
        rows.append(("labels of train", shares))
    elif classes:
        rows.append(("classes", f"{len(classes):,}"))
    return rows


def commands(config: CompareConfig, folder: Path) -> list[tuple[str, str]]:
    """What to type: the comparison again, and its best-known parts one by one."""
    data = shlex.quote(config.data.path)
    labels = ",".join(map(str, config.labels))
    again = f"headstart compare {data} --config {shlex.quote(str(folder / ASKED))} --out NEW"
    flags = [f"--labels {labels}", f"--seeds {config.seeds}"]
    if config.objectives:
        flags.append(f"--objective {','.join(config.objectives)}")
    flags += [f"--from {shlex.quote(path)}" for path in config.start]
    if config.baselines is not None:
        flags.append(f"--baselines {','.join(config.baselines) or 'none'}")
    if config.metric != "auto":
        flags.append(f"--metric {shlex.quote(config.metric)}")
    names = ("steps", "minutes", "pretrain_steps", "pretrain_minutes")
    lengths = {name: getattr(config, name) for name in names}
    flags += [f"--{n.replace('_', '-')} {v}" for n, v in lengths.items() if v is not None]
    flags += [
        f"--{flag} {shlex.quote(part['name'])}"
        for flag, part in (("task", config.task), ("backbone", config.backbone))
        if part.keys() == {"name"}
    ]
    flags += (read := data_flags(config.data))
    more = [config.pretrain, config.finetune]
    more += [part for part in (config.task, config.backbone) if part.keys() - {"name"}]
    said = [("with the same settings, from the file", again)]
    if not any(more):
        said.append(("the same by flags", f"headstart compare {data} {' '.join(flags)} --out NEW"))
    for name in config.objectives:
        run = shlex.quote(str(folder / "pretrained" / name))
        said.append(
            (
                f"use what {name} learned",
                " ".join([f"headstart finetune {data}", *read, f"--from {run} --out RUN"]),
            )
        )
    return said
