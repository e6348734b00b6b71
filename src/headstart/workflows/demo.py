"""The whole main path on bundled data: does pre-training pay on 10 labels a class of digits?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

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
    """
    begun = time.monotonic()
    out = Path(out)
    start = out / "pretrained"
    say("1 of 3: pre-training on all pictures of digits, without their labels")
    with RunFolder.create(start, resume=False, overwrite=True) as folder:
        pretrain(
            config_of(PretrainConfig, {"data": {"path": DATA}, "seed": seed, **PRETRAINING}),
            folder, display=display, say=say,
        )  # fmt: skip
    accuracies: dict[str, list[float]] = {"pretrained": [], "scratch": []}
    stages = {
        "pretrained": ("2 of 3: fine-tuning from it", str(start)),
        "scratch": ("3 of 3: its twin, from scratch, on the same labels", None),
    }
    for name, (title, begin) in stages.items():
        say(title)
        for draw in range(seed, seed + draws):
            raw = {
                "data": {"path": DATA},
                "start": begin,
                "labels_per_class": LABELS_PER_CLASS,
                "seed": draw,
            }
            run = out / f"{name}-{draw}"
            with RunFolder.create(run, resume=False, overwrite=True) as folder:
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
