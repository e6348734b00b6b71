"""Few labels: pre-trained, from scratch, linear probe and self-trained, on the same draws.

    python benchmarks/few_labels.py DATA --out DIR [--objective NAME] [--labels-per-class 10]
        [--draws 5] [--pretrain-minutes M | --pretrain-steps N] [--self-train] [--quick]

Pre-trains once on all samples, without labels, then fine-tunes on class-balanced draws with seeds
0, 1, ...; test error as mean, worst and spread, with the time each took. Beside them classical
machines on the same labels: lines on pixels and on oriented gradients, and a support vector machine
on gradients. Runs in DIR that are finished are read, not repeated.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import headstart as hs
from common import QUIET, finished
from headstart.baselines.pictures import Gradients, Pixels
from headstart.data import budget
from headstart.data.sources import open_dataset
from headstart.data.splits import ensure_test
from headstart.modalities.image import Image, ImageConfig


def classical(data: str, per_class: int, draw: int) -> dict[str, float]:
    """Test error of each classical machine on a draw of labels."""
    splits = ensure_test(open_dataset(data), 0).splits
    train, test = splits["train"], splits["test"]
    few = budget.choose(train, classes=True, labels=None, per_class=per_class, seed=draw)
    labelled = train.take([*few.train, *few.validation])
    modality = Image.fit(train, ImageConfig())
    found = {}
    for name, table in (("pixels", Pixels()), ("oriented gradients", Gradients())):
        x, x_test = table.features(labelled, modality), table.features(test, modality)
        lines = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2_000))
        machine = make_pipeline(StandardScaler(), SVC(C=5.0))
        for model, said in ((lines, "logistic regression"), (machine, "support vectors")):
            right = model.fit(x, labelled.targets).score(x_test, test.targets)
            found[f"{name}, {said}"] = 1.0 - float(right)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--objective", default="autoencoder")
    parser.add_argument("--labels-per-class", type=int, default=10)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--pretrain-minutes", type=float)
    parser.add_argument("--pretrain-steps", type=int)
    parser.add_argument("--minutes", type=float, help="of each fine-tuning; default: its steps")
    parser.add_argument("--self-train", action="store_true")
    parser.add_argument("--config", type=Path, help="settings of the pre-training")
    parser.add_argument("--finetune-config", type=Path, help="settings of every fine-tuning")
    parser.add_argument("--quick", action="store_true", help="few steps, two draws")
    options = parser.parse_args()
    draws = 2 if options.quick else options.draws
    start = finished(options.out / "pretrained") or hs.pretrain(
        options.data, out=options.out / "pretrained", objective=options.objective,
        minutes=options.pretrain_minutes, config=options.config,
        steps=50 if options.quick else options.pretrain_steps, overwrite=True, **QUIET,
    )  # fmt: skip
    print(f"pre-trained by {options.objective} in {start.result['wall_seconds']:.0f} s", flush=True)
    ways: dict[str, dict[str, Any]] = {
        "pre-trained, fine-tuned": {"start": start},
        "from scratch": {},
        "linear probe": {"start": start, "mode": "frozen"},
    }
    if options.self_train:
        ways["pre-trained, self-trained"] = {"start": start, "unlabelled": "self-train"}
        ways["from scratch, self-trained"] = {"unlabelled": "self-train"}
    rows: dict[str, list[tuple[float, float]]] = {}
    for name, way in ways.items():
        for draw in range(draws):
            out = options.out / f"{name.replace(', ', '-').replace(' ', '-')}-{draw}"
            run = finished(out) or hs.finetune(
                options.data, out=out, labels_per_class=options.labels_per_class, seed=draw,
                minutes=options.minutes, steps=30 if options.quick else None,
                config=options.finetune_config, overwrite=True, **QUIET, **way,
            )  # fmt: skip
            result = run.result
            rows.setdefault(name, []).append((result["test"]["error"], result["wall_seconds"]))
    for draw in range(draws):
        for name, error in classical(options.data, options.labels_per_class, draw).items():
            rows.setdefault(name, []).append((error, 0.0))
    print(f"{options.labels_per_class} labels a class of {options.data}, {draws} draws, test error")
    for name, found in rows.items():
        errors, seconds = np.array(found).T
        print(
            f"  {name:40s} mean {errors.mean():6.2%}  worst {errors.max():6.2%}"
            f"  spread ± {errors.std():.2%}  {seconds.mean():5.0f} s a draw"
        )


if __name__ == "__main__":
    main()
