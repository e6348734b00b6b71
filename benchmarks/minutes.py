"""How near `--minutes M` ends to M, by a watch held outside.

    python benchmarks/minutes.py              # 1 and 2 minutes
    python benchmarks/minutes.py --quick      # 0.5 minutes
    python benchmarks/minutes.py --busy       # with as many idle loops as cores from half-time on

The whole command counts: starting Python, reading the data, training, validation, checkpoints, the
report. The bar is 5 % of M on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BAR = 0.05


def spin() -> None:
    while True:
        pass


def measured(minutes: float, folder: Path, arguments: list[str], *, busy: bool) -> float:
    """Seconds that the command took."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "headstart", "pretrain", *arguments]
    process = subprocess.Popen(
        [*command, "--minutes", str(minutes), "--out", str(folder), "--quiet"],
        stdout=subprocess.DEVNULL,
    )
    loops = [multiprocessing.Process(target=spin, daemon=True) for _ in range(os.cpu_count() or 1)]
    if busy:
        time.sleep(30 * minutes)
        for loop in loops:
            loop.start()
    if process.wait() != 0:
        raise SystemExit(f"the command failed with exit code {process.returncode}")
    for loop in loops:
        if loop.is_alive():
            loop.kill()
    return time.monotonic() - begun


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("arguments", nargs="*", default=["digits"], help="of headstart pretrain")
    options = parser.parse_args()
    for minutes in (0.5,) if options.quick else (1.0, 2.0):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            seconds = measured(minutes, run, options.arguments, busy=options.busy)
            result = json.loads((run / "result.json").read_text())
        off = seconds / (60 * minutes) - 1
        verdict = "within" if abs(off) <= BAR else "OUTSIDE"
        print(
            f"{minutes:g} minutes: {seconds:.1f} s, {off:+.1%} ({verdict} {BAR:.0%});"
            f" {result['steps']:,} steps, {result['seconds']:.1f} s of them training",
            flush=True,
        )


if __name__ == "__main__":
    main()
