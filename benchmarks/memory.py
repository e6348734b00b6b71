"""Peak memory when the data are ten times larger and streamed, against itself.

    python benchmarks/memory.py [--quick]

The same command, with the same --max-memory, on N and on 10 N generated JPEGs. Counted is the
peak of all processes' resident memory together.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from folders import generate, mega, watch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    count, bound = (1_000, "4MB") if options.quick else (10_000, "20MB")
    peaks = {}
    for factor in (1, 10):
        with tempfile.TemporaryDirectory(prefix="headstart-memory-") as place:
            root = Path(place)
            generate(root / "photos", factor * count, 32)
            found = watch(
                [
                    "pretrain", str(root / "photos"), "--out", str(root / "run"), "--steps", "150",
                    "--backbone", "mlp", "--batch-size", "64", "--no-report",
                    "--set", "backbone.widths=[32,8]", "--set", "training.threads=1",
                    "--max-memory", bound, "--set", "data.workers=2",
                ],
                {"HEADSTART_CACHE": str(root / "cache")},
            )  # fmt: skip
            assert found.code == 0, found.said
            peaks[factor] = found.peak
            chosen = next(line for line in found.said if "decoded" in line)
            print(f"{factor * count:,} pictures: peak {mega(found.peak)}; {chosen}", flush=True)
    print(f"ratio: {peaks[10] / peaks[1]:.3f} (bar 1.3, goal 1.1)")


if __name__ == "__main__":
    main()
