"""What the benchmarks of large folders share: make one, and watch a command's memory."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

DISTINCT = 1_000  # pictures that are drawn and encoded; the files differ by a comment
CLASSES = 100


def generate(root: Path, count: int, side: int) -> int:
    """`count` JPEGs in class folders, no two alike; returns their bytes."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(min(DISTINCT, count)):
        small = rng.integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
        file = BytesIO()
        Image.fromarray(small).resize((side, side)).save(file, "JPEG", quality=90)
        drawn.append(file.getvalue())
    total = 0
    for c in range(CLASSES):
        (root / f"class-{c:03}").mkdir(parents=True)
    for i in range(count):
        data = drawn[i % len(drawn)]
        data = data[:2] + b"\xff\xfe\x00\x0a%08d" % i + data[2:]  # a comment after the start
        with open(f"{root}/class-{i % CLASSES:03}/{i:07}.jpg", "wb") as file:  # noqa: PTH123
            file.write(data)
        total += len(data)
    long_ago = time.time() - 60  # or a listing would be too young to be trusted
    for folder in (root, *root.iterdir()):
        os.utime(folder, (long_ago, long_ago))
    return total


@dataclass
class Watched:
    """One command, done.

    started: seconds until it said that it trains. peak: bytes of all its processes together;
    peak_main: of the first alone.
    """

    code: int | None = None
    seconds: float = 0.0
    started: float = 0.0
    peak: int = 0
    peak_main: int = 0
    said: list[str] = field(default_factory=list)


def watch(arguments: list[str], env: dict[str, str], kill_when: Path | None = None) -> Watched:
    """Run `headstart`, sampling the memory of its process tree five times a second.

    kill_when: a pattern of files; `kill -9` half a second after there is one.
    """
    found = Watched()
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "headstart", *arguments],
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = process.stderr

    def listen() -> None:
        for line in lines:
            found.said.append(line.strip())
            if line.startswith("pre-training on"):
                found.started = time.monotonic() - begun

    listener = threading.Thread(target=listen)
    listener.start()
    while process.poll() is None:
        main = memory(process.pid)
        found.peak_main = max(found.peak_main, main)
        found.peak = max(found.peak, main + sum(memory(pid) for pid in children(process.pid)))
        if kill_when is not None and next(kill_when.parent.glob(kill_when.name), None):
            time.sleep(0.5)
            process.kill()
            break
        time.sleep(0.2)
    found.code = process.wait()
    listener.join()
    found.seconds = time.monotonic() - begun
    return found


def memory(pid: int) -> int:
    """A process's resident memory in bytes; 0 when it has gone.

    Not its share (PSS): that falls and rises with whoever else has PyTorch's libraries mapped.
    """
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:  # noqa: PTH123
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))
    except (OSError, StopIteration):
        return 0


def children(pid: int) -> list[int]:
    """Processes that a process has started, by any of its threads."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text(encoding="ascii").split()]
        except OSError:
            continue
    return found


def mega(amount: float) -> str:
    """Bytes in MB."""
    return f"{amount / 1e6:,.0f} MB"
