"""A GAN on MNIST: what it makes, whether all classes are there, and whether its encoder helps.

    python benchmarks/gan.py /data/mnist --out /tmp/gan --minutes 8
    python benchmarks/gan.py /data/mnist --out /tmp/gan --quick

Only training pictures are used. 4,000 of them are put aside to judge by; no label of theirs, and
none of the test split, is ever learned from. Writes `samples.png` and `figures.json` into --out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import headstart as hs
from common import QUIET
from headstart.data.sources import open_dataset
from headstart.workflows.loaded import LoadedRun, load_run

JUDGES = 4_000
MADE = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=8.0, help="of the GAN's training")
    parser.add_argument("--draws", type=int, default=3, help="of 10 labels a class")
    parser.add_argument("--start", help="a finished GAN run, instead of training one")
    parser.add_argument("--quick", action="store_true", help="60 steps of everything, one draw")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    pictures = set_aside(asked.data, asked.out / "pictures.npz")
    figures: dict[str, Any] = {}

    length = {"steps": 60} if asked.quick else {"minutes": asked.minutes}
    every = "30 steps" if asked.quick else "200 steps"
    more = write_config(asked.out / "more.yaml", asked.threads, validate_every=every)
    start = asked.start or hs.pretrain(
        pictures,
        preset="gan",
        config=more,
        out=asked.out / "gan",
        overwrite=True,
        **QUIET,
        **length,
    )
    run = load_run(start if isinstance(start, str) else start.path)
    result = run.result
    figures["gan"] = {k: result[k] for k in ("steps", "seconds", "val", "health")}
    made = sheet(run, asked.out / "samples.png")

    plain = write_config(asked.out / "plain.yaml", asked.threads)
    short = {"steps": 60 if asked.quick else 600}
    judge = hs.finetune(
        pictures, backbone={"name": "conv", "widths": [16, 32, 64]}, config=plain,
        out=asked.out / "judge", overwrite=True, **QUIET, batch_size=128, **short,
    )  # fmt: skip
    figures["judge"] = judge.result["test"]["accuracy"]
    figures["classes"] = coverage(judge, made)

    accuracies: dict[str, list[float]] = {"from the GAN": [], "from scratch": []}
    for seed in range(1 if asked.quick else asked.draws):
        for name, given in (("from the GAN", {"start": start}), ("from scratch", {})):
            network = {} if given else {"backbone": run.config["backbone"]}
            tuned = hs.finetune(
                pictures, **given, **network, config=plain, labels_per_class=10, seed=seed,
                out=asked.out / "tuned", overwrite=True, **QUIET, **short,
            )  # fmt: skip
            accuracies[name].append(tuned.result["test"]["accuracy"])
            print(f"draw {seed}, {name}: {accuracies[name][-1]:.4f}", flush=True)
    figures["100 labels"] = accuracies
    (asked.out / "figures.json").write_text(json.dumps(figures, indent=2))
    print(json.dumps(figures, indent=2))


def set_aside(source: str, path: Path) -> Path:
    """The training pictures of `source` as an archive whose `test` is 4,000 of them."""
    train = open_dataset(source).train
    order = np.random.default_rng(0).permutation(len(train))
    x, y = np.asarray(train.inputs)[order], np.asarray(train.targets)[order]
    np.savez(path, x_train=x[JUDGES:], y_train=y[JUDGES:], x_test=x[:JUDGES], y_test=y[:JUDGES])
    return path


def write_config(path: Path, threads: int, **training: Any) -> Path:
    """Settings that every run here shares."""
    path.write_text(json.dumps({"training": {"threads": threads, **training}}))  # JSON is YAML
    return path


@torch.no_grad()
def sheet(run: LoadedRun, path: Path) -> NDArray[np.uint8]:
    """Make pictures `uint8 [1000, H, W]`; the first hundred go onto a sheet."""
    from PIL import Image

    torch.manual_seed(0)
    made = run.learner.sample(MADE)
    assert made is not None
    state = run.modality.state()
    mean, std = (torch.tensor(state[name]).view(-1, 1, 1) for name in ("mean", "std"))
    pixels = ((made * std + mean).clamp(0, 1) * 255).round().byte().numpy()[:, 0]
    side = pixels.shape[1]
    tiles = pixels[:100].reshape(10, 10, side, side).transpose(0, 2, 1, 3)
    picture = Image.fromarray(tiles.reshape(10 * side, 10 * side))
    picture.resize((20 * side, 20 * side), Image.Resampling.NEAREST).save(path)
    return pixels


def coverage(judge: hs.Run, made: NDArray[np.uint8]) -> dict[str, Any]:
    """How many of the made pictures a classifier takes for each class, and how surely."""
    columns = judge.predict(made)
    beliefs = np.stack([v for k, v in columns.items() if k.startswith("probability_")])  # [K, N]
    names, counts = np.unique(columns["label"].astype(str), return_counts=True)
    sure = float((beliefs.max(axis=0) > 0.9).mean())
    return {"made": dict(zip(names.tolist(), counts.tolist(), strict=True)), "sure": sure}


if __name__ == "__main__":
    main()
