"""Two-view objectives: how good are frozen features after a short pre-training?

    python benchmarks/views.py [--data digits|mnist|FOLDER] [--objective NAME ...] [--steps N]
        [--set objective.temperature=0.2 ...] [--quick]

Pre-trains a small network and fits a logistic regression to its frozen features with ten labels a
class, five draws. Everything is judged on training samples outside of the draw; the test split is
never read.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from headstart import backbones, modalities, objectives
from headstart.data.loader import Resident
from headstart.parts.learner import Learner
from headstart.settings import Duration, Faults, merge
from headstart.settings.resolve import set_path
from headstart.training.config import TrainingConfig
from headstart.training.engine import Engine
from headstart.training.health import Health
from headstart.workflows import assemble
from headstart.workflows.config import DataConfig

TWO_VIEWS = ("simclr", "vicreg", "barlow", "byol", "simsiam", "dino", "lejepa")
DRAWS = 5


def main() -> None:
    """Print one line an objective."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--objective", nargs="*", default=TWO_VIEWS)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", nargs="*", default=[], dest="sets")
    parser.add_argument("--quick", action="store_true", help="20 steps: does it run?")
    arguments = parser.parse_args()
    raw: dict[str, Any] = {
        "backbone": {"name": "conv", "widths": [16, 32, 64]},
        "training": {"threads": 1, "device": "cpu"},
    }
    for item in arguments.sets:
        name, value = item.split("=", 1)
        set_path(raw, name, yaml.safe_load(value))
    x, y, modality = samples(arguments.data, raw.get("modality", {}))
    steps = 20 if arguments.quick else arguments.steps
    for name in ("none", *arguments.objective):
        scores = []
        for seed in range(arguments.seeds):
            started = time.monotonic()
            own = merge(raw, {"objective": {"name": name}})
            if name == "none":  # an encoder as it was drawn
                own["objective"] = {"name": "autoencoder"}
            learner, findings = pretrained(own, x, modality, 0 if name == "none" else steps, seed)
            scores.append(probe(learner, modality.prepare, x, y))
            seconds = time.monotonic() - started
        flat = np.concatenate(scores)
        print(
            f"{name:8} {flat.mean():.4f} ± {flat.std() / len(flat) ** 0.5:.4f}"
            f"  rank {findings['effective_rank']:5.1f}  dead {findings['dead_units']}"
            f"  {seconds:.0f} s  {[f['name'] for f in findings['findings']]}",
            flush=True,
        )


def samples(source: str, settings: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor, Any]:
    """Training samples `[N, ...]`, their labels `[N]`, and the modality fitted on them."""
    dataset = assemble.open_data(DataConfig(path=source))
    faults = Faults()
    part = assemble.component(modalities.table, settings, dataset.kind, "modality", faults)
    faults.raise_if_any()
    modality = assemble.fitted_modality(dataset, part)
    x, _ = modality.tensor(dataset.train)
    y = np.unique(np.asarray(dataset.train.targets), return_inverse=True)[1]
    return x, torch.from_numpy(y), modality


def pretrained(
    raw: dict[str, Any], x: torch.Tensor, modality: Any, steps: int, seed: int
) -> tuple[Learner, dict[str, Any]]:
    """A learner after so many steps, and what health says of it."""
    faults = Faults()
    backbone = assemble.component(backbones.table, raw["backbone"], "conv", "backbone", faults)
    objective = assemble.component(objectives.table, raw["objective"], "", "objective", faults)
    training = assemble.resolve(TrainingConfig, raw["training"], faults, "training")
    faults.raise_if_any()
    torch.set_num_threads(1)
    encoder = assemble.build_backbone(backbone, modality.spec, seed)
    learner: Learner = objective.cls(objective.config, encoder, modality.spec)
    health = Health(lambda _: None)
    engine = Engine(
        learner,
        replace(training, lr=training.lr or learner.usual_lr),
        Resident(x, seed=seed),
        modality,
        duration=Duration(max(1, steps), "steps"),
        batch_size=assemble.batch_size_for(len(x), training.batch_size, learner.usual_batch),
        seed=seed,
        watchers=[health],
    )
    if steps:
        engine.fit()
    # The loop leaves the last weights: nothing is validated here.
    return learner.eval(), health.verdict(engine)


@torch.no_grad()
def probe(learner: Learner, prepare: Any, x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """Accuracy of logistic regression on ten labels a class, on at most 5,000 others, `[DRAWS]`."""
    from headstart.types import Batch

    random = np.random.default_rng(0)
    some = random.permutation(len(x))[:6_000]
    parts = [learner.encoder(Batch(prepare(part))).pooled for part in torch.split(x[some], 500)]
    features, labels = torch.cat(parts).numpy(), y[some].numpy()
    scores = []
    for _ in range(DRAWS):
        order = random.permutation(len(labels))
        few = np.concatenate([order[labels[order] == c][:10] for c in np.unique(labels)])
        rest = np.setdiff1d(order, few)
        scale = StandardScaler().fit(features)
        model = LogisticRegression(C=0.1, max_iter=1_000)
        model.fit(scale.transform(features[few]), labels[few])
        scores.append(model.score(scale.transform(features[rest]), labels[rest]))
    return np.array(scores)


if __name__ == "__main__":
    main()
