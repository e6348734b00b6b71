"""Peak memory when a corpus is ten times larger and streamed, against itself.

    python benchmarks/memory_texts.py [--quick]

The same command, with the same --max-memory, on N and on 10 N lines of text: words drawn by Zipf's
law, so that no two lines are alike. Counted is the peak of all processes' resident memory together.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

from folders import mega, watch


def write(path: Path, lines: int) -> None:
    """Lines of 20 words each, some 130 bytes."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("etaoinshrdlu"), rng.integers(2, 9))) for _ in range(5_000)]
    share = 1 / np.arange(1, len(words) + 1)
    share /= share.sum()
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, lines, 1_000):
            drawn = rng.choice(len(words), (min(1_000, lines - start), 20), p=share)
            file.writelines(" ".join(words[i] for i in row) + "\n" for row in drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    count = 15_000 if options.quick else 150_000
    peaks = {}
    for factor in (1, 10):
        with tempfile.TemporaryDirectory(prefix="headstart-memory-") as place:
            root = Path(place)
            os.environ["HEADSTART_CACHE"] = str(root / "cache")
            write(root / "corpus.txt", factor * count)
            size = (root / "corpus.txt").stat().st_size
            found = watch(
                [
                    "pretrain", str(root / "corpus.txt"), "--out", str(root / "run"),
                    "--steps", "20", "--batch-size", "32", "--no-report", "--max-memory", "5MB",
                    "--set", "backbone.width=32", "--set", "backbone.depth=1",
                    "--set", "modality.vocabulary=2000",  # the same network for both
                    "--set", "training.threads=1",
                ],
            )  # fmt: skip
            assert found.code == 0, found.said
            peaks[factor] = found.peak
            print(f"{mega(size)} of text: peak {mega(found.peak)}", flush=True)
    print(f"ratio: {peaks[10] / peaks[1]:.3f} (bar 1.3, goal 1.1)")


if __name__ == "__main__":
    main()
