"""How do I make it better? One setting changed at a time, on digits, ten labels a class.

Nothing is judged on the test split: it is put aside, and the pictures of train are cut into 1,000
to draw labels from and the rest to judge by. Every row has the same draws, seeds and steps as the
first, so that differences are taken draw by draw.

    python benchmarks/better.py [--quick] [--draws 5] [--steps 300] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from headstart.data.dataset import Dataset
from headstart.runs.folder import RunFolder
from headstart.settings import merge
from headstart.workflows import assemble
from headstart.workflows.config import DataConfig, FinetuneConfig, PretrainConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.pretrain import pretrain
from headstart.workflows.request import config_of

LEARN = 1_000
PER_CLASS = 10
FIRST = "as it is"
ROWS: dict[str, dict[str, Any]] = {
    FIRST: {},
    "--optimizer sgd": {"training": {"optimizer": "sgd"}},
    "--optimizer lion": {"training": {"optimizer": "lion"}},
    "--optimizer muon": {"training": {"optimizer": "muon"}},
    "--optimizer schedule-free-adamw": {"training": {"optimizer": "schedule-free-adamw"}},
    "--schedule onecycle": {"training": {"schedule": "onecycle"}},
    "--schedule constant": {"training": {"schedule": "constant"}},
    "--activation relu": {"backbone": {"activation": "relu"}},
    "--activation gelu": {"backbone": {"activation": "gelu"}},
    "--activation tanh": {"backbone": {"activation": "tanh"}},
    "--set training.ema=0.99": {"training": {"ema": 0.99}},
    "--set task.label_smoothing=0": {"task": {"label_smoothing": 0.0}},
    "--set task.label_smoothing=0.2": {"task": {"label_smoothing": 0.2}},
    "--set finetune.mixup=0.2": {"finetune": {"mixup": 0.2}},
    "--set finetune.cutmix=1": {"finetune": {"cutmix": 1.0}},
    "--set task.dropout=0.3": {"task": {"dropout": 0.3}},
    "--set backbone.dropout=0.1": {"backbone": {"dropout": 0.1}},
    "--set backbone.stochastic_depth=0.2": {"backbone": {"stochastic_depth": 0.2}},
    "--set finetune.augment=false": {"finetune": {"augment": False}},
    "twice the steps": {},
    "--from a run of `headstart pretrain`": {},
}
QUICK = (FIRST, "--optimizer muon", "--set finetune.mixup=0.2")


def material(seed: int = 0) -> Dataset:
    """The pictures of train in two parts; the test split is left out."""
    whole = assemble.open_data(DataConfig(path="digits"), seed)
    order = np.random.default_rng(seed).permutation(len(whole.train))
    learn, judge = (np.sort(part) for part in (order[:LEARN], order[LEARN:]))
    return whole.with_splits({"train": whole.train.take(learn), "test": whole.train.take(judge)})


def accuracy(dataset: Dataset, row: str, draw: int, steps: int, folder: Path) -> float:
    """Of one setting on one draw of labels, on the part of train that was set apart."""
    if row == "twice the steps":
        steps *= 2
    backbone = {"name": "conv", "widths": [16, 32, 64]}
    raw = {
        "data": {"path": "digits"},
        "labels_per_class": PER_CLASS,
        "training": {"duration": f"{steps} steps", "threads": 1, "device": "cpu"},
        "seed": draw,
    }
    if "pretrain" in row:
        start = {**raw, "backbone": backbone, "training": {"duration": f"{3 * steps} steps"}}
        del start["labels_per_class"]
        with RunFolder.create(folder / f"start-{draw}", resume=False, overwrite=True) as run:
            pretrain(config_of(PretrainConfig, start), run, dataset=dataset)
            raw["start"] = str(run.path)
    else:
        raw["backbone"] = backbone
    config = config_of(FinetuneConfig, merge(raw, ROWS[row]))
    with RunFolder.create(folder / "run", resume=False, overwrite=True) as run:
        result = finetune(config, run, dataset=dataset)
    return float(result["test"]["accuracy"])


def table(found: dict[str, list[float]]) -> str:
    """Rows of Markdown: mean accuracy, and the difference from the first row draw by draw."""
    lines = ["| changed | accuracy | difference |", "| --- | --- | --- |"]
    for row, values in found.items():
        apart = [value - first for value, first in zip(values, found[FIRST], strict=True)]
        spread = stdev(apart) / len(apart) ** 0.5 if len(apart) > 1 else float("nan")
        change = "" if row == FIRST else f"{mean(apart):+.3f} ± {spread:.3f}"
        name = row if row[0] not in "-" else f"`{row}`"
        lines.append(f"| {name} | {mean(values):.3f} | {change} |")
    return "\n".join(lines)


def main() -> None:
    """Run the rows, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three rows, one draw, 40 steps")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--json", type=Path, help="where to write every figure")
    options = parser.parse_args()
    rows, draws, steps = list(ROWS), options.draws, options.steps
    if options.quick:
        rows, draws, steps = list(QUICK), 1, 40
    dataset = material()
    found: dict[str, list[float]] = {}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            values = [accuracy(dataset, row, d, steps, Path(folder)) for d in range(draws)]
            found[row] = values
            print(f"{time.monotonic() - begun:6.0f} s  {row}: {mean(values):.4f}", flush=True)
            if options.json:
                options.json.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
