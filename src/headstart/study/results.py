"""All cells of a comparison as one table: means, intervals, tests, and what they are worth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from headstart.study import cells
from headstart.study.config import terms
from headstart.study.figures import kind_of
from headstart.study.plan import Item, Method, Plan
from headstart.study.statistics import Paired, Worth, holm, mean_of, paired, worth
from headstart.workflows import assemble

Values = dict[tuple[str, int | str], dict[int, float]]  # (method, labels) → seed → figure


def metric_of(plan: Plan) -> str:
    """The figure that is compared."""
    if plan.config.metric != "auto":
        return plan.config.metric
    usual = {"accuracy": "error", "mse": "rmse"}
    own = getattr(plan.task.cls, "metric", None)
    if own is None:  # it hangs on the task's settings, or on its labels
        train = plan.dataset.train
        assert train.targets is not None  # draws of labels were made of them
        state = plan.task.cls.fit(plan.task.config, train.targets[train.has_label])
        own = plan.task.cls(plan.task.config, 1, state).metric
    return usual.get(own, str(own))


def finished(plan: Plan) -> list[dict[str, Any]]:
    """The cells that are done, of the methods, labels and draws that are asked for."""
    found = []
    for item in plan.items:
        path = cells.path_of(plan, item)
        if item.kind == "cell" and item.method and path.exists():
            cell = json.loads(path.read_text(encoding="utf-8"))
            found.append({**cell, "method": item.method.name})  # as it is called beside others now
    return found


def values_of(kept: Sequence[dict[str, Any]], metric: str) -> Values:
    """The figure of each cell."""
    found: Values = {}
    for cell in kept:
        if (figure := cell["figures"].get(metric)) is not None:
            found.setdefault((cell["method"], cell["asked"]), {})[cell["seed"]] = figure
    return found


def gather(plan: Plan) -> dict[str, Any]:
    """Everything a comparison says, as JSON can hold it; the verdict is added by `verdict`."""
    kept = finished(plan)
    metric = metric_of(plan)
    kind = kind_of(metric)
    values = values_of(kept, metric)
    labels = _ascending(plan, kept)
    methods = [_row(method, labels, values, kept) for method in plan.methods]
    comparisons = _comparisons(plan, values)
    return {
        "status": "done" if len(kept) == _asked(plan) else "unfinished",
        "command": "compare",
        "data": plan.config.data.path,
        "task": plan.task.name,
        "metric": metric,
        "smaller_is_better": kind.smaller,
        "in_percent": kind.percent,
        "terms": terms(plan.config),
        "labels": [{"asked": asked, "labels": count} for asked, count in labels],
        "seeds": plan.config.seeds,
        "methods": methods,
        "comparisons": comparisons,
        "worth": _worth(plan, labels, values, smaller=kind.smaller),
        "pretraining": [_cost(plan, item) for item in plan.items if item.kind == "pretrain"],
        "facts": _facts(plan),
        "wall_seconds": sum(cell["wall_seconds"] for cell in kept),
        "cpu_seconds": sum(cell["cpu_seconds"] for cell in kept),
        "versions": assemble.versions(),
    }


def _asked(plan: Plan) -> int:
    return sum(item.kind == "cell" for item in plan.items)


def _ascending(plan: Plan, kept: Sequence[dict[str, Any]]) -> list[tuple[int | str, int]]:
    """What was asked for, and how many labels that is."""
    counts = {cell["asked"]: cell["labels"] for cell in kept}
    asked = [(n, counts.get(n, n if isinstance(n, int) else 0)) for n in plan.config.labels]
    return sorted(asked, key=lambda pair: pair[1])


def _row(
    method: Method,
    labels: list[tuple[int | str, int]],
    values: Values,
    kept: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    points = []
    for asked, count in labels:
        each = values.get((method.name, asked), {})
        mine = [c for c in kept if c["method"] == method.name and c["asked"] == asked]
        mean = asdict(mean_of(list(each.values()))) if each else {"mean": None, "n": 0}
        points.append(
            {
                "asked": asked,
                "labels": count,
                **mean,
                "values": [each[seed] for seed in sorted(each)],
                "wall_seconds": _mean([c["wall_seconds"] for c in mine]),
                "cpu_seconds": _mean([c["cpu_seconds"] for c in mine]),
            }
        )
    return {
        "name": method.name,
        "way": method.way,
        "source": method.source.name if method.source else None,
        "twin": method.twin,
        "points": points,
    }


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _comparisons(plan: Plan, values: Values) -> list[dict[str, Any]]:
    """Each method against its twin from scratch, on the draws that both have.

    Fine-tuned networks are one family of comparisons, what stands beside them is another: each is
    corrected for by itself.
    """
    found: list[tuple[bool, dict[str, Any], Paired]] = []
    for labels in plan.config.labels:
        for method in plan.methods:
            if method.twin is None:
                continue
            mine, other = (
                values.get((method.name, labels), {}),
                values.get((method.twin, labels), {}),
            )
            seeds = sorted(mine.keys() & other.keys())
            if not seeds:
                continue
            tested = paired([mine[s] for s in seeds], [other[s] for s in seeds])
            head = {"method": method.name, "against": method.twin, "asked": labels}
            found.append((method.way == "fine-tuned", head, tested))
    for family in (True, False):
        places = [i for i, (f, _, t) in enumerate(found) if f is family and t.p is not None]
        adjusted = holm([found[i][2].p or 0.0 for i in places])
        for i, p in zip(places, adjusted, strict=True):
            is_main, head, tested = found[i]
            found[i] = (is_main, head, replace(tested, adjusted=p))
    return [{**head, "main": main, **asdict(tested)} for main, head, tested in found]


def _worth(
    plan: Plan, labels: list[tuple[int | str, int]], values: Values, *, smaller: bool
) -> list[dict[str, Any]]:
    """How many labels from scratch are as good as each budget after pre-training."""
    found = []
    counts = [count for _, count in labels]
    for method in plan.methods:
        if method.way != "fine-tuned":
            continue
        curve = [values.get((method.twin or "", asked), {}) for asked, _ in labels]
        if len(curve) < 2 or not all(curve):
            continue
        means = [float(np.mean(list(each.values()))) for each in curve]
        for asked, count in labels:
            each = values.get((method.name, asked), {})
            if not each:
                continue
            here = mean_of(list(each.values()))
            ends = [here.low, here.high] if smaller else [here.high, here.low]
            most, fewest = (
                Worth(None) if end is None else worth(counts, means, end, smaller=smaller)
                for end in ends
            )
            middle = worth(counts, means, here.mean, smaller=smaller)
            found.append(
                {
                    "method": method.name,
                    "labels": count,
                    "as_many": asdict(middle),
                    "from": asdict(fewest),
                    "to": asdict(most),
                    "measured": [counts[0], counts[-1]],
                }
            )
    return found


def _cost(plan: Plan, item: Item) -> dict[str, Any]:
    """What a pre-training took."""
    assert item.source is not None
    path = cells.path_of(plan, item)
    result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    names = ("steps", "wall_seconds", "cpu_seconds", "parameters", "backbone")
    health = result.get("health", {})
    return {
        "name": item.source.name,
        **{name: result.get(name) for name in names},
        "findings": health.get("findings", []),
    }


def _facts(plan: Plan) -> dict[str, Any]:
    dataset = plan.dataset
    train = dataset.train
    facts: dict[str, Any] = {
        "kind": dataset.kind,
        "samples": {name: len(samples) for name, samples in dataset.splits.items()},
        "labelled": {n: int(s.has_label.sum()) for n, s in dataset.splits.items()},
        "notes": list(dataset.notes),
    }
    if train.targets is not None and plan.task.cls.classes_apart:
        names, counts = np.unique(train.targets[train.has_label], return_counts=True)
        facts["classes"] = {str(n): int(c) for n, c in zip(names, counts, strict=True)}
    return facts
