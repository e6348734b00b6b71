"""A table of a million rows, pre-trained within a memory bound.

    python benchmarks/million_rows.py ../shared/data/tables/adult-train.csv --out DIR
        [--rows 1000000] [--max-memory 1GB] [--steps 300]

Rows are drawn from the file again and again, numbers moved a little so that few are equal, and
written as CSV. Pre-training then runs by the command line in a process of its own; the most memory
it ever held, less what an empty process with the same libraries holds, is printed beside the bound.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from headstart.data.table_files import read_frame
from headstart.settings.sizes import Size

CHUNK = 50_000


def multiplied(source: Path, out: Path, rows: int) -> None:
    """Write `rows` rows drawn from `source`."""
    columns = read_frame(source).columns
    generator = np.random.default_rng(0)
    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for start in range(0, rows, CHUNK):
            index = generator.integers(
                0, len(next(iter(columns.values()))), min(CHUNK, rows - start)
            )
            drawn = []
            for cells in columns.values():
                part = cells[index]
                if part.dtype.kind == "f":
                    part = np.char.mod("%.6g", part + generator.normal(size=len(part)) * 0.01)
                drawn.append(part)
            writer.writerows(zip(*drawn, strict=True))


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds, and the most bytes that a command's process ever held."""
    script = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]).returncode;"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr);"
        "sys.exit(done)"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script, *command], stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    kilobytes = int(done.stderr.strip().splitlines()[-1])
    return time.monotonic() - began, kilobytes * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--target", default="income")
    parser.add_argument("--max-memory", default="1GB")
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    data = options.out / f"rows-{options.rows}.csv"
    if not data.exists():
        multiplied(options.table, data, options.rows)
    print(f"{options.rows:,} rows, {data.stat().st_size / 2**20:.0f} MB of CSV")
    _, empty = measured([sys.executable, "-c", "import torch, headstart.workflows.pretrain"])
    seconds, held = measured(
        [
            sys.executable, "-m", "headstart", "pretrain", str(data), "--target", options.target,
            "--out", str(options.out / "run"), "--steps", str(options.steps), "--overwrite",
            "--max-memory", options.max_memory, "--no-report", "--quiet",
        ]
    )  # fmt: skip
    bound = Size.parse(options.max_memory).amount
    print(
        f"pre-trained {options.steps} steps in {seconds:.0f} s; at most {held / 2**20:.0f} MB,"
        f" {(held - empty) / 2**20:.0f} MB more than the libraries alone"
        f" (bound: {bound / 2**20:.0f} MB)"
    )


if __name__ == "__main__":
    main()
