"""What classical models make of the labels that a fine-tuning on a table had, and who is ahead.

They learn from the same rows. With validation labels, one fit without them is compared by them; the
fit that test figures are of has all labels of the budget, as the network's weights were chosen with
them too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from headstart.baselines import fitting
from headstart.baselines.base import fit
from headstart.data.dataset import Samples
from headstart.errors import UserError
from headstart.modalities.base import Modality
from headstart.tasks.base import Task
from headstart.workflows.assemble import Say
from headstart.workflows.config import FinetuneConfig

ASKED = ("linear", "boosting", "xgboost", "lightgbm")
MOST_ROWS = 200_000  # that a baseline learns from: more take long and say much the same


def against_baselines(
    config: FinetuneConfig,
    splits: Mapping[str, Samples],
    modality: Modality,
    task: Task,
    scores: Mapping[str, Mapping[str, Any]],
    *,
    say: Say,
) -> tuple[dict[str, Any], str | None]:
    """Figures of each baseline on validation and test by name, and who wins; of tables only.

    splits: 'train', and 'validation' and 'test' where there are any, all labelled.
    scores: the network's figures by split.
    """
    if not config.baselines or modality.spec.kind != "mixed":
        return {}, None
    found = _beside(splits, modality, task, config.seed, say)
    winner = verdict(found, scores, task)
    if winner is not None:
        say(winner)
    return found, winner


def _beside(
    splits: Mapping[str, Samples], modality: Modality, task: Task, seed: int, say: Say
) -> dict[str, Any]:
    names = [name for name in fitting("table") if name in ASKED]
    say(f"beside it, on the same labels: {', '.join(names)}")
    found: dict[str, Any] = {}
    for name in names:
        began = time.monotonic()
        try:
            figures = _figures(name, splits, modality, task, seed)
        except (UserError, ValueError) as error:  # too few labels of a class for its folds
            found[name] = {"failed": str(error)}
            continue
        found[name] = {**figures, "seconds": time.monotonic() - began}
    return found


def _figures(
    name: str, splits: Mapping[str, Samples], modality: Modality, task: Task, seed: int
) -> dict[str, Any]:
    train = _some(splits["train"], seed)
    fitted = fit(name, train, modality, task, seed)
    figures: dict[str, Any] = {"labels": len(train)}
    if "validation" in splits:
        figures["val"] = _score(fitted, splits["validation"], task)
        if "test" in splits:
            fitted = fit(name, _both(train, splits["validation"]), modality, task, seed)
    if "test" in splits:
        figures["test"] = _score(fitted, splits["test"], task)
    return figures


def _score(fitted: Any, samples: Samples, task: Task) -> dict[str, Any]:
    figures = task.figures(fitted.outputs(samples), task.encode(samples.targets, "test"))  # type: ignore[arg-type]
    return {name: value for name, value in figures.items() if isinstance(value, int | float)}


def _some(samples: Samples, seed: int) -> Samples:
    if len(samples) <= MOST_ROWS:
        return samples
    return samples.take(np.sort(np.random.default_rng(seed).permutation(len(samples))[:MOST_ROWS]))


def _both(one: Samples, other: Samples) -> Samples:
    assert one.targets is not None
    assert other.targets is not None
    columns = list(np.asarray(one.inputs).dtype.names or ())
    inputs = np.concatenate([np.asarray(part.inputs)[columns] for part in (one, other)])
    names = [part.name(i) for part in (one, other) for i in range(len(part))]
    return Samples(inputs, np.concatenate([one.targets, other.targets]), names=names)


def verdict(
    baselines: Mapping[str, Any], scores: Mapping[str, Mapping[str, Any]], task: Task
) -> str | None:
    """Who is ahead, by the labels that validated, else by test; None where neither is there.

    scores: the network's figures by split.
    """
    split, key = ("validation", "val") if "validation" in scores else ("test", "test")
    metric = task.metric
    own = scores.get(split, {}).get(metric)
    others = {n: f[key][metric] for n, f in baselines.items() if metric in f.get(key, {})}
    if own is None or not others:
        return None
    sign = 1 if task.direction == "max" else -1
    best = max(others, key=lambda name: sign * others[name])
    told = ", ".join(f"{name} {value:.4g}" for name, value in others.items())
    ahead = sign * (own - others[best])
    by = "labels that validated" if split == "validation" else "the test split"
    who = f"the network and the baseline {best} are level"
    if ahead > 0:
        who = f"the network is ahead of the best baseline, {best}, by {ahead:.3g}"
    if ahead < 0:
        who = f"the baseline {best} wins by {-ahead:.3g}"
    return f"{metric} by {by}: network {own:.4g}, {told}: {who}"
