"""`headstart tune`, killed on the way and gone on with: is what it finds better on test?

    python benchmarks/tune.py DATA --out DIR [--labels 100] [--steps 200] [--trials 25] [--kills 2]
        [--draws 3] [--backbone NAME] [--from RUN] [--quick]

Runs the search as a command, kills it with SIGKILL after so many trials, repeats the command, and
counts: every trial must be there once. Then trains with the defaults and with the best settings,
on the labels that were searched with (other seeds of everything else) and on labels of other
draws, and reads the test split, once each.
"""

from __future__ import annotations

import argparse
import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import headstart as hs
from common import QUIET


def finished(search: Path) -> int:
    """Trials whose end is in the journal."""
    journal = search / "trials.journal"
    lines = journal.read_text().splitlines() if journal.exists() else []
    return sum(json.loads(line).get("state") in (1, 2, 3) for line in lines if line.endswith("}"))


def searched(command: list[str], search: Path, trials: int, kills: int) -> dict[str, object]:
    """The search's result; its process is killed after each of `kills` equal parts."""
    for part in range(1, kills + 1):
        goal = trials * part // (kills + 1)
        running = subprocess.Popen(command)
        while finished(search) < goal and running.poll() is None:
            time.sleep(0.2)
        time.sleep(1.0)  # into the next trial
        running.send_signal(signal.SIGKILL)
        running.wait()
        print(f"killed with {finished(search)} trials finished", flush=True)
    subprocess.run(command, check=True)
    result: dict[str, object] = json.loads((search / "result.json").read_text())
    with (search / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    numbers = [int(row["trial"]) for row in rows]
    assert numbers == list(range(trials)), f"trials lost or counted twice: {numbers}"
    assert all(row["state"] != "running" for row in rows)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--from", dest="start")
    parser.add_argument("--backbone")
    parser.add_argument("--quick", action="store_true", help="few steps and trials")
    options = parser.parse_args()
    steps, trials = (5, 4) if options.quick else (options.steps, options.trials)
    draws = 1 if options.quick else options.draws
    search = options.out / "search"
    command = [
        sys.executable, "-m", "headstart", "tune", options.data, "--out", str(search),
        "--labels", str(options.labels), "--steps", str(steps), "--trials", str(trials),
        *(["--from", options.start] if options.start else []),
        *(["--backbone", options.backbone] if options.backbone else []),
    ]  # fmt: skip
    result = searched(command, search, trials, options.kills)
    print(f"trials {result['trials']}, changed {result['changed']}")
    rows: dict[str, list[float]] = {}
    for draw in range(2 * draws):
        same = draw < draws
        for name, config in (("defaults", None), ("tuned", search / "best.yaml")):
            run = hs.finetune(
                options.data, out=options.out / f"{name}-{draw}", config=config,
                overwrite=True, **QUIET,
                start=options.start, backbone=options.backbone, labels=options.labels, steps=steps,
                seed=draw + 1, label_seed=0 if same else draw,
            )  # fmt: skip
            key = f"{name}, {'labels searched with' if same else 'other labels'}"
            rows.setdefault(key, []).append(run.result["test"]["error"])
    print(f"{options.labels} labels of {options.data}, {draws} runs each, test error")
    for name, errors in rows.items():
        print(f"  {name:34s} mean {np.mean(errors):6.2%}  worst {max(errors):6.2%}")


if __name__ == "__main__":
    main()
