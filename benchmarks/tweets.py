"""TweetEval with nothing but its own tweets: emotion, irony, emoji by their official metrics.

    python benchmarks/tweets.py TWEETS --out DIR [--tasks emotion irony emoji] [--seeds 3]
        [--backbone NAME] [--objective NAME] [--pretrain-steps N | --pretrain-minutes M] [--quick]

Pre-trains once on the train texts of all three tasks, without labels, then fine-tunes on each
task's own train labels; beside it the same network from scratch, a linear probe, and TF-IDF with a
linear machine whose C and class weights are chosen on validation. Metrics as published (Barbieri
et al., 2020, arXiv:2010.12421): macro-F1, for irony F1 of the ironic class. Runs that are finished
are read, not repeated. Test text is never trained on, and test labels choose nothing.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.pipeline import make_union
from sklearn.svm import LinearSVC

import headstart as hs
from common import QUIET, finished, written
from headstart.data.sources import open_dataset

TASKS = ("emotion", "irony", "emoji")
FIGURE = {"emotion": "macro_f1", "irony": "f1_irony", "emoji": "macro_f1"}


def corpus(tweets: Path, out: Path) -> Path:
    """The train texts of all tasks, one a line."""
    path = out / "corpus.txt"
    texts = [
        text for task in TASKS for text in open_dataset(str(tweets / task)).train.inputs.tolist()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{text.strip()}\n" for text in texts), encoding="utf-8")
    return path


def official(task: str, truth: Any, answers: Any) -> float:
    """The published metric of a task."""
    if task == "irony":
        return float(f1_score(truth, answers, pos_label="irony"))
    return float(f1_score(truth, answers, average="macro"))


def linear(tweets: Path, task: str, *, quick: bool) -> tuple[float, float]:
    """Words and characters, TF-IDF, a linear support vector machine: test and validation."""
    splits = open_dataset(str(tweets / task)).splits
    vectors = make_union(
        TfidfVectorizer(
            ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\w+|[^\w\s]"
        ),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True),
    )
    x = vectors.fit_transform(splits["train"].inputs)
    held, x_test = (vectors.transform(splits[name].inputs) for name in ("validation", "test"))
    options = [(0.1, None)] if quick else product((0.03, 0.1, 0.3), (None, "balanced"))
    made = [
        LinearSVC(C=c, class_weight=weight).fit(x, splits["train"].targets) for c, weight in options
    ]
    scores = [official(task, splits["validation"].targets, m.predict(held)) for m in made]
    best = int(np.argmax(scores))
    return official(task, splits["test"].targets, made[best].predict(x_test)), scores[best]


def settings(options: argparse.Namespace, start: hs.Run, task: str, way: dict[str, Any]) -> Path:
    """A file of settings: those given, the metric that chooses, and from scratch the same network.

    From scratch the tokenizer is the pre-trained one's as well: only the weights differ.
    """
    given = options.finetune_config
    raw = yaml.safe_load(given.read_text()) if given else {}
    raw["task"] = {"name": "classification", "metric": FIGURE[task], **raw.get("task", {})}
    if "start" not in way:
        raw["backbone"] = start.config["backbone"]
        raw["modality"] = {"tokenizer": str(start.path / "tokenizer.json")}
    name = f"{task}-{'scratch' if 'start' not in way else 'start'}.yaml"
    return written(options.out / name, raw)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tweets", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--backbone")
    parser.add_argument("--objective", default="mlm")
    parser.add_argument("--pretrain-steps", type=int)
    parser.add_argument("--pretrain-minutes", type=float)
    parser.add_argument("--minutes", type=float, help="of each fine-tuning; default: its steps")
    parser.add_argument("--epochs", type=float, help="of each fine-tuning")
    parser.add_argument("--config", type=Path, help="settings of the pre-training")
    parser.add_argument("--finetune-config", type=Path, help="settings of every fine-tuning")
    parser.add_argument("--quick", action="store_true", help="few steps, one seed")
    options = parser.parse_args()
    start = finished(options.out / "pretrained") or hs.pretrain(
        str(corpus(options.tweets, options.out)), out=options.out / "pretrained",
        objective=options.objective, backbone=options.backbone, config=options.config,
        minutes=options.pretrain_minutes,
        steps=20 if options.quick else options.pretrain_steps, overwrite=True, **QUIET,
    )  # fmt: skip
    print(f"pre-trained by {options.objective} in {start.result['wall_seconds']:.0f} s", flush=True)
    ways: dict[str, dict[str, Any]] = {
        "pre-trained": {"start": start},
        "from scratch": {},
        "linear probe": {"start": start, "mode": "frozen"},
    }
    print(f"{'task':10}{'':16}{'mean':>8}{'worst':>8}{'spread':>8}{'validation':>12}")
    for task in options.tasks:
        figure = FIGURE[task]
        print(f"{task:10}{'TF-IDF, linear':16}", end="", flush=True)
        score, held = linear(options.tweets, task, quick=options.quick)
        print(f"{score:8.4f}{'':16}{held:12.4f}", flush=True)
        for name, way in ways.items():
            scores, held_scores = [], []
            for seed in range(1 if options.quick else options.seeds):
                out = options.out / f"{task}-{name.replace(' ', '-')}-{seed}"
                run = finished(out) or hs.finetune(
                    str(options.tweets / task), out=out, seed=seed, overwrite=True, **QUIET,
                    minutes=options.minutes, steps=10 if options.quick else None,
                    epochs=options.epochs, config=settings(options, start, task, way), **way,
                )  # fmt: skip
                scores.append(run.result["test"][figure])
                held_scores.append(run.result["val"][figure])
            spread = np.std(scores, ddof=1) if len(scores) > 1 else 0.0
            print(
                f"{'':10}{name:16}{np.mean(scores):8.4f}{min(scores):8.4f}{spread:8.4f}"
                f"{np.mean(held_scores):12.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
