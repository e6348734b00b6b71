"""The whole main path on bundled data: does pre-training pay on 10 labels a class of digits?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headstart.errors import UserError
from headstart.runs.folder import RunFolder
from headstart.training.watching import Display
from headstart.workflows.assemble import Say
from headstart.workflows.config import FinetuneConfig, PretrainConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.pretrain import pretrain
from headstart.workflows.request import config_of

DATA = "digits"
LABELS_PER_CLASS = 10
# The best of what was tried on draws from the train split (benchmarks/RESULTS.md).
PRETRAINING = {"objective": {"name": "vicreg"}, "training": {"duration": "400 steps"}}


def demo(
    out: str | Path,
    *,
    seed: int = 0,
    draws: int = 3,
    display: Display | None = None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Pre-train once; fine-tune from it and from scratch on the same draws of labels.

    Both twins have the same network, labels, augmentation and number of steps. Runs are left in
    `out`; those of an earlier demo are replaced.

    Raises:
        UserError: a run in `out` that would be replaced is no demo's.
    """
    begun = time.monotonic()
    out = Path(out)
    start = out / "pretrained"
    first: dict[str, Any] = {"data": {"path": DATA}, "seed": seed, **PRETRAINING}
    twins = {"pretrained": str(start), "scratch": None}
    runs: dict[tuple[str, int], dict[str, Any]] = {
        (name, draw): {
            "data": {"path": DATA},
            "start": begin,
            "labels_per_class": LABELS_PER_CLASS,
            "seed": draw,
        }
        for name, begin in twins.items()
        for draw in range(seed, seed + draws)
    }
    for path, raw in [(start, first), *[(out / f"{n}-{d}", raw) for (n, d), raw in runs.items()]]:
        _replaceable(RunFolder(path), raw)
    say("1 of 3: pre-training on all pictures of digits, without their labels")
    with RunFolder.create(start, resume=False, overwrite=True) as folder:
        pretrain(config_of(PretrainConfig, first), folder, display=display, say=say)
    accuracies: dict[str, list[float]] = {"pretrained": [], "scratch": []}
    stages = {
        "pretrained": "2 of 3: fine-tuning from it",
        "scratch": "3 of 3: its twin, from scratch, on the same labels",
    }
    for (name, draw), raw in runs.items():
        if draw == seed:
            say(stages[name])
        with RunFolder.create(out / f"{name}-{draw}", resume=False, overwrite=True) as folder:
            result = finetune(config_of(FinetuneConfig, raw), folder, display=display)
        accuracies[name].append(result["test"]["accuracy"])
    return {
        **{n: {"mean": sum(a) / len(a), "accuracies": a} for n, a in accuracies.items()},
        "labels_per_class": LABELS_PER_CLASS,
        "pretrained_run": str(start),
        "finetuned_run": str(out / f"pretrained-{seed}"),
        "scratch_run": str(out / f"scratch-{seed}"),
        "seconds": time.monotonic() - begun,
    }


def _replaceable(folder: RunFolder, raw: Mapping[str, Any]) -> None:
    """Raises:
    UserError: `folder` holds a run that had other settings than `raw`, but for the seed.
    """
    if not folder.config.exists():
        return
    before = folder.read_config()
    if not all(name == "seed" or _within(wanted, before.get(name)) for name, wanted in raw.items()):
        raise UserError(
            f"{folder.path} holds a run that is no demo's: it would be replaced.",
            "Choose another --out.",
        )


def _within(wanted: Any, there: Any) -> bool:
    """Whether settings say what is wanted, whatever else they say."""
    if not isinstance(wanted, Mapping):
        return bool(wanted == there)
    return isinstance(there, Mapping) and all(_within(v, there.get(n)) for n, v in wanted.items())
