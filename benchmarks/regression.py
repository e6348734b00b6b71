"""Regression for real: the angle of a turned MNIST digit, and scikit-learn's diabetes progression.

Both sets are written as `.npz` and go the way a user's would: `headstart pretrain`, `finetune`
from that run and from scratch, five draws of labels, the same network and number of steps. What
is asked for is an angle, so nothing is turned by augmentation. The settings for diabetes were
chosen on a part of its train split.

    python benchmarks/regression.py ../shared/data/mnist [--out DIR] [--quick]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from scipy.ndimage import rotate
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import headstart as hs
from common import QUIET
from headstart.data.idx import read_idx

LARGEST_ANGLE = 60.0  # degrees either way


def turned_digits(folder: Path, file: Path, count: int) -> None:
    """Digits of MNIST, each turned by its own angle, which is the target."""
    generator = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    for split, prefix, n in (("train", "train", count), ("test", "t10k", count // 5)):
        pictures = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz")[:n]
        angles = generator.uniform(-LARGEST_ANGLE, LARGEST_ANGLE, n)
        arrays[f"x_{split}"] = np.stack(
            [rotate(p, a, reshape=False, order=1) for p, a in zip(pictures, angles, strict=True)]
        )
        arrays[f"y_{split}"] = angles.astype(np.float32)
    np.savez(file, **arrays)


def diabetes(file: Path) -> None:
    """Ten measurements of 442 patients, and how far their diabetes had gone a year later."""
    x, y = load_diabetes(return_X_y=True)
    parts = train_test_split(x, y, test_size=0.25, random_state=0)
    np.savez(file, **dict(zip(("x_train", "x_test", "y_train", "y_test"), parts, strict=True)))


def compare(
    name: str, file: Path, out: Path, *, labels: int, draws: int, pre_steps: int, steps: int,
    objective: dict[str, object], backbone: dict[str, object] | None = None, mode: str = "staged",
) -> None:  # fmt: skip
    """Print both twins' errors over the draws."""
    start = hs.pretrain(
        file, out=out / f"{name}-pretrained", objective={**objective, "augment": False},
        backbone=backbone, steps=pre_steps, overwrite=True, **QUIET,
    )  # fmt: skip
    errors: dict[str, list[float]] = {"pre-trained": [], "from scratch": []}
    mean = 0.0
    config = out / "finetune.yaml"
    config.write_text("finetune: {augment: false}\n", encoding="utf-8")
    for draw in range(draws):
        for title, begin in (("pre-trained", start), ("from scratch", None)):
            run = hs.finetune(
                file, start=begin, task="regression", labels=labels, seed=draw, steps=steps,
                backbone=None if begin else backbone, mode=mode if begin else None, config=config,
                out=out / f"{name}-{title.replace(' ', '-')}-{draw}", overwrite=True, **QUIET,
            )  # fmt: skip
            errors[title].append(run.result["test"]["mse"])
            mean = run.result["test"]["mean_predictor_mse"]
    print(f"{name}, {labels} labels, {draws} draws: test mean squared error")
    print(f"  always the mean  {mean:9.1f}")
    for title, found in errors.items():
        each = "  ".join(f"{e:.1f}" for e in found)
        print(f"  {title:15s}  {np.mean(found):9.1f}  ± {np.std(found):.1f}   ({each})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="MNIST's IDX files")
    parser.add_argument("--out", type=Path, help="keep the runs here")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=("angle", "diabetes"))
    options = parser.parse_args()
    draws, share = (2, 10) if options.quick else (5, 1)
    with tempfile.TemporaryDirectory() as temporary:
        out = options.out or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        if options.only != "diabetes":
            turned_digits(options.folder, out / "angle.npz", 10_000 // share)
            compare(
                "angle", out / "angle.npz", out, labels=200, draws=draws,
                pre_steps=2_000 // share, steps=600 // share, objective={"name": "autoencoder"},
            )  # fmt: skip
        if options.only != "angle":
            diabetes(out / "diabetes.npz")
            compare(
                "diabetes", out / "diabetes.npz", out, labels=100, draws=draws,
                pre_steps=1_500 // share, steps=300 // share, mode="frozen",
                objective={"name": "denoising", "noise": 0.5},
                backbone={"name": "mlp", "widths": [256, 64]},
            )  # fmt: skip


if __name__ == "__main__":
    main()
