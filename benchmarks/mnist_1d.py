"""MNIST-1D (Greydanus and Kobak, 2020, arXiv:2011.14439): all labels, and labels for a probe alone.

    python benchmarks/mnist_1d.py --out DIR [--seeds 5] [--epochs N] [--pretrain-steps N]
        [--objective NAME] [--width N] [--depth N] [--skip ROW ...] [--quick]

The canonical set, made by the package `mnist1d` from its own seed: 4,000 series of 40 steps to
learn from, 1,000 to test on. Rows:

- classical: linear and kernel machines and boosted trees on the 40 numbers.
- scratch: the temporal convolutional network on all labels, augmented as the generator itself
  varies a series (moved round, scaled, tilted, wandering noise).
- random: a linear probe of the same network that has learned nothing.
- probe: a linear probe of what self-supervision has learned on train without labels.

A probe is logistic regression on the encoder's features, its C chosen on a tenth held out of train.
Published: logistic regression 32, MLP 68, GRU 91, CNN 94, a human 96; SimCLR, then a probe, 82.1.
Finished runs are read, not repeated. The test split is read once a row, and chooses nothing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import headstart as hs
from common import QUIET, finished, written
from headstart.objectives import table as objectives

# What the generator varies: where a template begins, its size, a line added to it, noise.
VARIED = {"roll": 0.5, "scale": 0.2, "slope": 0.5, "jitter": 0.05, "wander": 0.05, "crop": 0.1}
UNVARIED = {"shift": 0.0, "magnitude": 0.0, "warp": 0.0, "mask": 0.0, "drop": 0.0}
# Views must differ by more, or they are told by what is no digit's.
VIEWS = {"scale": 0.4, "slope": 1.0, "jitter": 0.1, "wander": 0.15, "crop": 0.3, "warp": 0.03}
CS = (0.01, 0.1, 1.0, 10.0, 100.0)

Arrays = dict[str, NDArray[Any]]


def canonical(out: Path) -> Path:
    """The set as an `.npz` of series."""
    path = out / "mnist1d.npz"
    if path.exists():
        return path
    from mnist1d.data import get_dataset_args, make_dataset

    made = make_dataset(get_dataset_args())
    arrays = {
        "series_train": made["x"].astype(np.float32),
        "y_train": made["y"],
        "series_test": made["x_test"].astype(np.float32),
        "y_test": made["y_test"],
    }
    out.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def settings(path: Path, options: argparse.Namespace, *, labels: bool) -> Path:
    """A config file of a run."""
    config: dict[str, Any] = {
        "modality": {"augment": {**UNVARIED, **VARIED, "strong": VIEWS}},
        "backbone": {"name": "tcn", "width": options.width, "depth": options.depth},
        "training": {"ema": 0.998} if labels else {},
    }
    return written(path, config)


def chosen(make: Any, candidates: Any, data: Arrays, seed: int = 0) -> tuple[float, float]:
    """The best of some models by a tenth of train, learned again on all of it.

    make: candidate → an estimator. Returns its accuracy on that tenth, and on test.
    """
    x, y = data["x"], data["y"]
    kept, held = train_test_split(np.arange(len(x)), test_size=0.1, random_state=seed, stratify=y)
    scores = {c: make(c).fit(x[kept], y[kept]).score(x[held], y[held]) for c in candidates}
    best = max(scores, key=lambda c: scores[c])
    return scores[best], make(best).fit(x, y).score(data["x_test"], data["y_test"])


def logistic(c: float) -> Any:
    """A linear classifier of standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2_000))


def classical(data: Arrays) -> dict[str, Any]:
    """Validation and test accuracy of each model."""
    machines = {
        "logistic regression": (logistic, CS),
        "RBF support vector machine": (
            lambda c: make_pipeline(StandardScaler(), SVC(C=c)),
            CS[1:],
        ),
        "boosted trees": (
            lambda rate: HistGradientBoostingClassifier(learning_rate=rate, random_state=0),
            (0.05, 0.1, 0.2),
        ),
    }
    return {name: chosen(make, candidates, data) for name, (make, candidates) in machines.items()}


def probe(run: hs.Run, source: Path, data: Arrays) -> tuple[float, float]:
    """Validation and test accuracy of a linear classifier of a run's features."""
    features = {
        "x": run.embed(source, split="train"),
        "x_test": run.embed(source, split="test"),
        "y": data["y"],
        "y_test": data["y_test"],
    }
    return chosen(logistic, CS, features)


def rows(options: argparse.Namespace, source: Path) -> Any:
    """Each row's name, seed, validation and test accuracy, as they come."""
    with np.load(source) as arrays:
        data = {
            "x": arrays["series_train"],
            "y": arrays["y_train"],
            "x_test": arrays["series_test"],
            "y_test": arrays["y_test"],
        }
    out: Path = options.out
    if "classical" not in options.skip:
        for name, (validation, test) in classical(data).items():
            yield name, 0, validation, test
    for seed in range(options.seeds):
        if "probe" not in options.skip:
            at = out / f"{options.objective}-{seed}"
            first = finished(at) or hs.pretrain(
                source,
                out=at,
                objective=options.objective,
                steps=options.pretrain_steps,
                config=settings(out / "pretrain.yaml", options, labels=False),
                seed=seed,
                overwrite=True,
                **QUIET,
            )
            yield "probe", seed, *probe(first, source, data)
        if "random" not in options.skip:
            at = out / f"random-{seed}"
            nothing = finished(at) or hs.pretrain(
                source,
                out=at,
                objective=options.objective,
                steps=1,
                lr=1e-9,
                config=settings(out / "pretrain.yaml", options, labels=False),
                seed=seed,
                overwrite=True,
                **QUIET,
            )
            yield "random", seed, *probe(nothing, source, data)
        if "scratch" not in options.skip and seed < options.scratch_seeds:
            at = out / f"scratch-{seed}"
            run = finished(at) or hs.finetune(
                source,
                out=at,
                epochs=options.epochs,
                config=settings(out / "finetune.yaml", options, labels=True),
                seed=seed,
                overwrite=True,
                **QUIET,
            )
            result = run.result
            yield "scratch", seed, result["val"]["accuracy"], result["test"]["accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--scratch-seeds", type=int, default=1)
    parser.add_argument("--epochs", type=float, default=40)
    parser.add_argument("--pretrain-steps", type=int, default=1_500)
    parser.add_argument("--objective", choices=list(objectives), default="simclr")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument(
        "--skip", nargs="*", default=[], choices=["classical", "scratch", "random", "probe"]
    )
    parser.add_argument("--quick", action="store_true", help="that it runs, not what it finds")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.epochs, options.pretrain_steps, options.width = 1, 0.5, 5, 16
    source = canonical(options.out)
    found: dict[str, list[tuple[float, float]]] = {}
    for name, seed, validation, test in rows(options, source):
        found.setdefault(name, []).append((validation, test))
        print(f"{name:28} seed {seed}  validation {validation:.4f}  test {test:.4f}", flush=True)
    print("\nmean over seeds (deviation)")
    for name, figures in found.items():
        table = np.array(figures)
        mean, std = table.mean(axis=0), table.std(axis=0)
        print(
            f"{name:28} validation {mean[0]:.4f} ({std[0]:.4f})  test {mean[1]:.4f}"
            f" ({std[1]:.4f})  {len(table)} seeds"
        )
    (options.out / "figures.json").write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
