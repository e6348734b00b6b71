"""Abalone, Diabetes and Adult from few labels and all: pre-trained, from scratch, and baselines.

    python benchmarks/tables.py ../shared/data/tables --out DIR [--rows abalone-10 adult-1 ...]
        [--draws 5] [--config FILE] [--pretrain-config FILE] [--ways ...] [--quick]

Each draw has labels of its own, as frequent as classes are. Abalone and Diabetes come without a
test split: each draw sets another fifth of the rows apart. Adult has its official split. The
network is pre-trained on all rows of train, once a row of Adult and once a draw of the others, and
fine-tuned on the labels of the draw; from scratch it has the same labels, settings and steps.
Linear models and boosted trees learn from the same labels in the run from scratch. Runs that are
finished are read, not repeated. Settings were chosen on other draws than those reported here.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import headstart as hs
from common import QUIET, finished, written
from headstart.settings import merge


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: a file, what is to be learned, and how many labels.

    test: a file of its own; without one each draw sets a fifth of the rows apart.
    backbone, finetuning, pretraining: settings, found on other draws.
    """

    file: str
    target: str
    labels: int | None
    test: str | None = None
    metric: str = "accuracy"
    backbone: dict[str, Any]
    finetuning: dict[str, Any]
    pretraining: dict[str, Any]

    @property
    def task(self) -> str:
        return "classification" if self.metric == "accuracy" else "regression"


def trained(steps: int, *, lr: float, batch: int = 64, decay: float = 0.01) -> dict[str, Any]:
    """Settings of a training."""
    return {
        "duration": f"{steps} steps", "lr": lr, "batch_size": batch, "weight_decay": decay,
    }  # fmt: skip


def pieces(bins: int, width: int, depth: int, **more: Any) -> dict[str, Any]:
    """Settings of the ensemble."""
    return {"name": "tabm", "bins": bins, "width": width, "depth": depth, **more}


# All labels teach, and the last weights are kept: a tenth of few is too few to choose by.
KEPT: dict[str, Any] = {"validation_share": 0.0}
MIXED: dict[str, Any] = {"finetune": {"mixup": 0.5}}
FIRST: dict[str, Any] = {"training": trained(300, lr=1e-3, batch=256)}  # before few rows' labels
ABALONE: dict[str, Any] = {
    "file": "abalone.csv", "target": "rings", "metric": "mse", "pretraining": FIRST,
}  # fmt: skip
DIABETES: dict[str, Any] = {"file": "diabetes.csv", "target": "diabetes", "pretraining": FIRST}
ADULT: dict[str, Any] = {
    "file": "adult-train.csv", "target": "income", "test": "adult-test.csv", "pretraining": FIRST,
}  # fmt: skip
ROWS = {
    "abalone-10": Row(
        **ABALONE, labels=334, backbone=pieces(8, 64, 2),
        finetuning={**KEPT, **MIXED, "training": trained(200, lr=2e-3, decay=0.5)},
    ),
    "abalone-all": Row(
        **ABALONE, labels=None, backbone=pieces(16, 128, 2),
        finetuning={
            **KEPT, "finetune": {"mixup": 0.2},
            "training": trained(500, lr=2e-3, batch=128, decay=0.5),
        },
    ),
    "diabetes-10": Row(
        **DIABETES, labels=61, backbone=pieces(0, 32, 1, activation="tanh"),
        finetuning={**KEPT, "training": trained(60, lr=1e-2, batch=61, decay=3.5)},
    ),
    "diabetes-all": Row(
        **DIABETES, labels=None, backbone=pieces(8, 32, 1, activation="tanh"),
        finetuning={**KEPT, "training": trained(120, lr=1e-2, decay=1.0)},
    ),
    "adult-1": Row(
        **ADULT, labels=326, backbone=pieces(8, 64, 2),
        finetuning={**KEPT, "training": trained(60, lr=5e-3, decay=3.0)},
    ),
    "adult-10": Row(
        **ADULT, labels=3256, backbone=pieces(8, 64, 2),
        finetuning={**KEPT, "training": trained(300, lr=3e-3, batch=128, decay=1.0)},
    ),
    "adult-all": Row(
        **ADULT, labels=None, backbone=pieces(32, 64, 2),
        finetuning={**KEPT, "training": trained(600, lr=5e-3, batch=256, decay=0.5)},
    ),
}  # fmt: skip
WAYS = ("from scratch", "pre-trained", "linear probe")


def read(path: Path | None) -> dict[str, Any]:
    """Settings of a file, or none."""
    return yaml.safe_load(path.read_text()) if path else {}


class Bench:
    """What all rows share."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.out: Path = options.out
        self.pretraining = read(options.pretrain_config)
        self.finetuning = read(options.config)

    def source(self, row: Row, draw: int) -> dict[str, Any]:
        """Where samples come from; a draw without an official test split makes its own."""
        given = {"target": row.target, "test": row.test}
        data = {name: value for name, value in given.items() if value}
        return data if row.test else {**data, "split_seed": draw}

    def start(self, name: str, row: Row, draw: int) -> hs.Run:
        """The pre-trained run of a draw; of an official split, the only one."""
        out = self.out / (f"{name}-pretrained" if row.test else f"{name}-pretrained-{draw}")
        settings = merge(
            {"data": self.source(row, draw), "backbone": row.backbone},
            row.pretraining,
            self.pretraining,
        )
        return finished(out) or hs.pretrain(
            self.options.tables / row.file, out=out, overwrite=True, **QUIET, seed=draw,
            config=written(self.out / f"{out.name}.yaml", settings),
            steps=5 if self.options.quick else None,
        )  # fmt: skip

    def finetuned(self, name: str, way: str, draw: int) -> hs.Run:
        """One draw of one row, one way."""
        row = ROWS[name]
        out = self.out / f"{name}-{way.replace(' ', '-')}-{draw}"
        if (run := finished(out)) is not None:
            return run
        settings: dict[str, Any] = {
            "data": self.source(row, draw), "task": {"name": row.task}, "labels": row.labels,
            "label_draw": "natural", "baselines": way == "from scratch",
        }  # fmt: skip
        settings = merge(settings, row.finetuning, self.finetuning)
        more: dict[str, Any] = {}
        if way != "from scratch":
            more["start"] = self.start(name, row, draw)
            for part in ("backbone", "modality"):
                settings.pop(part, None)
        else:
            own = {
                n: self.pretraining[n] for n in ("backbone", "modality") if n in self.pretraining
            }
            settings = merge({"backbone": row.backbone}, own, settings)
        if way == "linear probe":
            settings = merge(settings, {"finetune": {"mode": "frozen"}})
        return hs.finetune(
            self.options.tables / row.file, out=out, overwrite=True, **QUIET, seed=draw,
            config=written(self.out / f"{out.name}.yaml", settings),
            steps=5 if self.options.quick else None, **more,
        )  # fmt: skip

    def report(self, name: str) -> None:
        """Print a row: each way's mean, worst and spread over the draws."""
        metric = ROWS[name].metric
        told: dict[str, list[float]] = {}
        for draw in range(1 if self.options.quick else self.options.draws):
            for way in self.options.ways:
                result = self.finetuned(name, way, draw).result
                told.setdefault(way, []).append(result["test"][metric])
                for baseline, figures in result.get("baselines", {}).items():
                    if "test" in figures:
                        told.setdefault(baseline, []).append(figures["test"][metric])
        for way, values in told.items():
            worst = min(values) if metric == "accuracy" else max(values)
            spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
            each = " ".join(f"{value:.4g}" for value in values)
            print(
                f"{name:14}{way:14}{np.mean(values):9.4f}{worst:9.4f}{spread:9.4f}   {each}",
                flush=True,
            )
        with (self.out / "figures.jsonl").open("a") as file:
            file.write(json.dumps({"row": name, "metric": metric, **told}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tables", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--config", type=Path, help="settings of every fine-tuning")
    parser.add_argument("--pretrain-config", type=Path, help="settings of every pre-training")
    parser.add_argument("--quick", action="store_true", help="few steps, one draw")
    options = parser.parse_args()
    print(f"{'row':14}{'way':14}{'mean':>9}{'worst':>9}{'spread':>9}   each draw")
    bench = Bench(options)
    for name in options.rows:
        bench.report(name)


if __name__ == "__main__":
    main()
