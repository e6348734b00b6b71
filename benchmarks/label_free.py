"""Which figure without labels orders objectives as a probe by labels of train does?

    python benchmarks/label_free.py DATA [--target COLUMN] [--kind KIND] [--samples N] [--steps N]
        [--batch-size N] [--backbone NAME] [--set width=32 ...] [--objectives NAME ...] [--quick]

Every objective that `--objective auto` would try trains the same network for as many steps. Then a
linear probe, cross-validated on labels of train, and figures that look at no label
are taken of what it learned, and of the network as it was drawn. Test is never read. The last line
has each figure's rank correlation (Spearman) with the probe.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch
import yaml
from scipy.stats import spearmanr

from headstart import backbones
from headstart.parts.learner import Learner
from headstart.settings import Duration, Faults
from headstart.training.embeddings import effective_rank
from headstart.workflows import assemble, bakeoff, candidates
from headstart.workflows.config import PretrainConfig
from headstart.workflows.judges import Judge, by_labels, columns_told, features, views_found
from headstart.workflows.request import config_of
from headstart.workflows.sets import by_window
from headstart.workflows.supply import Supply


def asked() -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data")
    parser.add_argument("--target")
    parser.add_argument("--kind")
    parser.add_argument("--samples", type=int, default=1_500)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--backbone")
    parser.add_argument("--objectives", nargs="*")
    parser.add_argument("--set", nargs="*", default=[], dest="sets", help="of the backbone")
    parser.add_argument("--quick", action="store_true", help="10 steps: does it run?")
    return parser.parse_args()


def main() -> None:
    """Print one line an objective."""
    options = asked()
    torch.set_num_threads(1)
    config = config_of(
        PretrainConfig,
        {
            "data": {"path": options.data, "target": options.target, "kind": options.kind},
            "training": {"batch_size": options.batch_size, "threads": 1, "device": "cpu"},
        },
    )
    dataset = assemble.open_data(config.data)
    train = dataset.train
    rows = np.random.default_rng(0).permutation(len(train))[: options.samples]
    train = train.take(np.sort(rows))
    faults = Faults()
    part = assemble.modality_for({}, dataset, faults)
    modality = part.cls.fit(train, part.config)
    modality = by_window(modality)
    named = {"name": options.backbone or part.cls.default_backbone}
    own = dict(item.split("=", 1) for item in options.sets)
    network = assemble.component(
        backbones.table,
        {**named, **{name: yaml.safe_load(value) for name, value in own.items()}},
        "",
        "backbone",
        faults,
    )
    faults.raise_if_any()
    names = tuple(options.objectives or candidates.ALL[dataset.kind])
    steps = 10 if options.quick else options.steps
    found: dict[str, list[float]] = {}
    with Supply(
        {"train": train}, modality, config.data, seed=0, batch_size=options.batch_size
    ) as supply:
        x = supply.loaders["train"].at(0, min(1_000, len(train)))[0]
        judges = {
            "probe": by_labels(modality, modality.tensor(train)[0], np.asarray(train.targets), 0),
            "views found": views_found(modality, x),
            "weak views found": views_found(modality, x, "weak"),
        }
        if modality.spec.kind == "mixed":
            judges["columns told"] = columns_told(modality, x)

        def score(learner: Learner) -> float:
            said = [judge.score(learner) for judge in judges.values()]
            said.append(effective_rank(features(learner, modality.prepare(x))))
            found[str(len(found))] = said
            return said[0]

        setup = bakeoff.TrialSetup(
            config,
            lambda: assemble.build_backbone(network, modality.spec, 0),
            modality,
            supply.loaders["train"],
            Judge("linear probe", score),
        )
        _, fitting = bakeoff.fitting(names, setup)
        score(bakeoff.learner_for(fitting[0], setup).eval())
        begun = time.monotonic()
        for name in fitting:
            bakeoff.tried(name, setup, Duration(steps, "steps"))
    columns = [*judges, "effective rank"]
    print("| objective |", " | ".join(columns), "|")
    for name, said in zip(["(as drawn)", *fitting], found.values(), strict=True):
        print(f"| {name} |", " | ".join(f"{value:.3f}" for value in said), "|")
    table: Any = np.array(list(found.values()))
    correlations = [spearmanr(table[:, 0], table[:, i])[0] for i in range(1, len(columns))]
    print("| rank correlation | |", " | ".join(f"{c:.2f}" for c in correlations), "|")
    print(f"{time.monotonic() - begun:.0f} s, {len(train):,} samples, {steps} steps each")


if __name__ == "__main__":
    main()
