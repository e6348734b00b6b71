"""A folder of JPEGs larger than --max-memory: starts fast, stays inside the bound, resumes.

    python benchmarks/big_folder.py [--quick]

200,000 pictures (5,000 with --quick) are generated in 100 class folders and removed afterwards.
Printed: seconds until training begins, with nothing remembered and the second time; the peak of
memory of all processes, less that of the same command on a twentieth of the pictures (streamed
too, within 20MB), against --max-memory; whether a run that was killed and resumed ends with the
bits of one that was not; and batches a second, streamed against resident.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from folders import Watched, generate, mega, watch
from headstart.data.decoding import Decoding
from headstart.data.folders import read_folder
from headstart.data.loader import Loader, Resident
from headstart.data.streamed import Reader, Streamed, read_resident

SIDE = 48
BATCH = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--pictures", help="a folder of pictures made before, to be kept")
    options = parser.parse_args()
    count, bound, few_bound = (
        (5_000, "20MB", "2MB") if options.quick else (200_000, "200MB", "20MB")
    )
    steps = options.steps or (60 if options.quick else 400)
    with tempfile.TemporaryDirectory(prefix="headstart-big-") as place:
        root = Path(place)
        if options.pictures:
            for name in ("photos", "few"):
                (root / name).symlink_to(Path(options.pictures).resolve() / name)
        else:
            generate(root / "photos", count, SIDE)
            generate(root / "few", count // 20, SIDE)
        print(f"{count:,} JPEGs; decoded {mega(count * 3 * SIDE**2)}; --max-memory {bound}")
        runs(root, steps, bound, few_bound)
        speed(root)


def runs(root: Path, steps: int, bound: str, few_bound: str) -> None:
    """The command itself, watched."""

    def command(out: str, data: str, *more: str) -> list[str]:
        return [
            "pretrain", str(root / data), "--out", str(root / out), "--steps", str(steps),
            "--backbone", "mlp", "--batch-size", str(BATCH), "--no-report",
            "--set", "backbone.widths=[32,8]", "--set", "training.threads=1",
            "--set", f"training.checkpoint_every={max(1, steps // 10)} steps", *more,
        ]  # fmt: skip

    env = {"HEADSTART_CACHE": str(root / "cache")}
    limit = ("--max-memory", bound)
    few = report("few pictures", watch(command("few-run", "few", "--max-memory", few_bound), env))
    whole = report("cold", watch(command("whole", "photos", *limit), env))
    print(f"  {next(line for line in whole.said if 'decoded' in line)}")
    report("warm", watch(command("again", "photos", *limit), env))
    kill_at = root / "cut" / "checkpoints" / "step-*"
    shutil.rmtree(root / "cache" / "decoded")  # so that it is killed while it decodes
    report("killed", watch(command("cut", "photos", *limit), env, kill_at))
    resumed = watch(command("cut", "photos", *limit, "--resume", "--set", "data.workers=1"), env)
    report("resumed, another worker count", resumed)
    one, other, third = (
        (root / name / "model.safetensors").read_bytes() for name in ("whole", "cut", "again")
    )
    print(f"same bits: {'yes' if one == other == third else 'NO'}")
    print(f"memory above that of few pictures: {mega(whole.peak - few.peak)} of {bound}")


def report(name: str, found: Watched) -> Watched:
    print(
        f"{name}: trains after {found.started:.1f} s, ends after {found.seconds:.1f} s (exit"
        f" {found.code}); peak {mega(found.peak)}, of the main process {mega(found.peak_main)}",
        flush=True,
    )
    return found


def speed(root: Path) -> None:
    """Batches alone, in one process: decoded as they come, from the spool, from memory."""
    decoding = Decoding(
        "headstart.data.pictures:decode", {"mode": "RGB", "size": [SIDE, SIDE]}, (3, SIDE, SIDE)
    )
    files = read_folder(root / "photos").train.inputs
    files = files.take(np.arange(min(20_000, len(files))))
    reader = Reader(files, decoding, None, spool=False)
    decoded = per_second(Streamed(files, reader))
    resident = per_second(Resident(read_resident(files, reader, "fail")[0]))
    reader.close()
    reader = Reader(files, decoding, 0, spool=True)
    per_second(Streamed(files, reader), len(files))  # fill what is missing
    spooled = per_second(Streamed(files, reader))
    reader.close()
    print(
        f"samples/s: resident {resident:,.0f}; from the spool {spooled:,.0f};"
        f" decoded by workers {decoded:,.0f} (ratio spool to decoding {spooled / decoded:.1f})"
    )


def per_second(loader: Loader, samples: int = 5_000) -> float:
    begun = time.perf_counter()
    for position in range(0, samples, BATCH):
        loader.at(position, BATCH)
    seconds = time.perf_counter() - begun
    loader.close()
    return samples / seconds


if __name__ == "__main__":
    main()
