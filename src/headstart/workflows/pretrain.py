"""Learn from every sample, labelled or not: makes a run that fine-tuning can start from."""

from __future__ import annotations

import time
from typing import Any

from headstart import backbones, modalities, objectives
from headstart.data.dataset import Dataset, Samples
from headstart.data.loader import Loader
from headstart.data.splits import cut
from headstart.modalities.base import Modality
from headstart.parts.learner import Learner
from headstart.runs.folder import RunFolder
from headstart.settings import Faults, as_plain
from headstart.training import health
from headstart.training.engine import Display, Engine, Validation, place
from headstart.workflows import assemble
from headstart.workflows.assemble import Say
from headstart.workflows.config import PretrainConfig
from headstart.workflows.supply import Supply
from headstart.workflows.weights import save_model

EPOCHS = 10
FEWEST_STEPS = 1_500
PROBE = 512  # samples that health looks at
HELD_OUT = 0.05


def pretrain(
    config: PretrainConfig,
    folder: RunFolder,
    *,
    dataset: Dataset | None = None,
    resume: bool = False,
    display: Display | None = None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Pre-train and leave a finished run in `folder`; returns its `result.json`.

    dataset: samples in memory; by default those that `config.data` names.

    Raises:
        UserError: settings or data are wrong; all faults of the settings are named at once.
        InterruptedRunError: a signal came; the run can be resumed.
    """
    faults = Faults()
    objective = assemble.component(
        objectives.table, config.objective, "autoencoder", "objective", faults
    )
    kind = config.modality.get("name")
    if dataset is None and not faults.lines:
        dataset = assemble.open_data(config.data, config.seed)
    kind = kind or (dataset.kind if dataset else "image")
    modality_part = assemble.component(modalities.table, config.modality, kind, "modality", faults)
    default = modality_part.cls.default_backbone if modality_part.cls else "mlp"
    backbone = assemble.component(backbones.table, config.backbone, default, "backbone", faults)
    faults.raise_if_any()
    assert dataset is not None
    modality = assemble.fitted_modality(dataset, modality_part)
    plain = {
        **as_plain(config),
        "modality": modality_part.plain(),
        "backbone": backbone.plain(),
        "objective": objective.plain(),
    }
    encoder = assemble.build_backbone(backbone, modality.spec, config.seed)
    learner: Learner = objective.cls(objective.config, encoder, modality.spec)
    splits = _splits(dataset, config.seed)
    size = assemble.batch_size_for(len(splits["train"]), config.training.batch_size)
    with Supply(
        splits, modality, config.data, seed=config.seed, batch_size=size, say=say
    ) as supply:
        engine = _engine(
            learner, supply, modality, config, size=size, folder=folder, display=display
        )
        assemble.begin(folder, plain, modality.state(), resume=resume)
        for note in (*dataset.notes, *supply.notes):
            say(note)
        say(f"pre-training on {len(engine.data):,} samples, {engine.length()}, on {engine.device}")
        started = time.monotonic()
        at = engine.fit(resume=resume)
        x, _ = engine.data.at(0, min(PROBE, len(engine.data)))
        findings = health.examine(learner, engine.plain(x), at)
        skipped = supply.skipped(at.position)
    save_model(folder.model, learner)
    result = {
        "status": "done",
        "command": "pretrain",
        "objective": objective.name,
        "backbone": backbone.name,
        "data": config.data.path,
        **engine.summary(),
        "wall_seconds": time.monotonic() - started,
        "parameters": sum(p.numel() for p in learner.encoder.parameters()),
        "labels": 0,
        "val": at.best,
        "health": findings,
        "skipped": skipped,
        "notes": [*dataset.notes, *supply.notes],
        "versions": assemble.versions(),
    }
    folder.write_json(folder.result, result)
    return result


def _splits(dataset: Dataset, seed: int) -> dict[str, Samples]:
    """What to learn from, and what to judge by: the validation split, or a part set apart."""
    train = dataset.train
    splits = {"train": train}
    if "validation" in dataset.splits:
        splits["validation"] = dataset.splits["validation"]
    elif len(train) >= 200:
        kept, apart = cut(train, min(HELD_OUT, 2_000 / len(train)), seed)
        splits = {"train": train.take(kept), "validation": train.take(apart)}
    return splits


def _engine(
    learner: Learner,
    supply: Supply,
    modality: Modality,
    config: PretrainConfig,
    *,
    size: int,
    folder: RunFolder,
    display: Display | None,
) -> Engine:
    place(learner, config.training)
    data = supply.loaders["train"]
    engine = Engine(
        learner,
        config.training,
        data,
        modality,
        duration=assemble.duration_for(
            config.training.duration, len(data), size, EPOCHS, FEWEST_STEPS
        ),
        batch_size=size,
        seed=config.seed,
        folder=folder,
        display=display,
    )
    if "validation" in supply.loaders:
        engine.validation = _validation(engine, supply.loaders["validation"])
    return engine


def _validation(engine: Engine, held: Loader) -> Validation:
    def run() -> dict[str, float]:
        totals: dict[str, float] = {}
        count = 0
        for x, y in held.in_order(512):
            # Samples are judged as they are, unless the objective compares views of them.
            batch = engine.batch(x, y) if engine.learner.views > 1 else engine.plain(x, y)
            count += len(batch)
            for name, value in engine.learner.score(batch).items():
                totals[name] = totals.get(name, 0.0) + float(value) * len(batch)
        return {name: total / count for name, total in totals.items()}

    return Validation(run, "loss", "min")
