"""Learn from every sample, labelled or not: makes a run that fine-tuning can start from."""

from __future__ import annotations

import time
from typing import Any

import torch

from headstart import backbones, modalities, objectives
from headstart.data.dataset import Dataset
from headstart.data.loader import Resident
from headstart.data.splits import cut
from headstart.errors import UserError
from headstart.modalities.base import Modality
from headstart.parts.learner import Learner
from headstart.runs.folder import RunFolder
from headstart.settings import Faults, as_plain
from headstart.training import health
from headstart.training.engine import Display, Engine, Validation, place
from headstart.workflows import assemble
from headstart.workflows.assemble import Component, Material, Say
from headstart.workflows.config import PretrainConfig
from headstart.workflows.sheets import save_sheet
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
    material = assemble.material(dataset, modality, config.data.on_bad, ("train", "validation"))
    plain = {
        **as_plain(config),
        "modality": modality_part.plain(),
        "backbone": backbone.plain(),
        "objective": objective.plain(),
    }
    learner = _learner(objective, backbone, material, config.seed)
    engine = _engine(learner, material, config, folder, display)
    assemble.begin(folder, plain, modality.state(), resume=resume)
    for note in dataset.notes:
        say(note)
    say(f"pre-training on {len(engine.data):,} samples, {engine.length()}, on {engine.device}")
    started = time.monotonic()
    at = engine.fit(resume=resume)
    probe = engine.plain(_probe(engine.data))
    findings = health.examine(learner, probe, at)
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
        "skipped": material.skipped,
        "notes": dataset.notes,
        "versions": assemble.versions(),
    }
    folder.write_json(folder.result, result)
    return result


def _learner(objective: Component, backbone: Component, material: Material, seed: int) -> Learner:
    needs = objective.cls.needs
    if not issubclass(backbone.cls, needs):
        fit = [name for name in backbones.table if issubclass(backbones.table.load(name), needs)]
        raise UserError(
            f"objective '{objective.name}' does not work with backbone '{backbone.name}'.",
            f"Use --backbone {' or '.join(fit)}.",
        )
    encoder = assemble.build_backbone(backbone, material.spec, seed)
    learner: Learner = objective.cls(objective.config, encoder, material.spec)
    return learner


def _engine(
    learner: Learner,
    material: Material,
    config: PretrainConfig,
    folder: RunFolder,
    display: Display | None,
) -> Engine:
    place(learner, config.training)
    x = material.x["train"]
    held = material.x.get("validation")
    if held is None and len(x) >= 200:
        kept, apart = cut(material.samples["train"], min(HELD_OUT, 2_000 / len(x)), config.seed)
        x, held = x[torch.from_numpy(kept)], x[torch.from_numpy(apart)]
    data = Resident(x, seed=config.seed)
    size = assemble.batch_size_for(len(x), config.training.batch_size)
    engine = Engine(
        learner,
        config.training,
        data,
        material.modality,
        duration=assemble.duration_for(
            config.training.duration, len(x), size, EPOCHS, FEWEST_STEPS
        ),
        batch_size=size,
        seed=config.seed,
        folder=folder,
        display=display,
    )
    if held is not None:
        engine.validation = _validation(
            engine, Resident(held, seed=config.seed), material.modality, folder
        )
    return engine


def _validation(
    engine: Engine, held: Resident, modality: Modality, folder: RunFolder
) -> Validation:
    def run() -> dict[str, float]:
        totals: dict[str, float] = {}
        for x, y in held.in_order(512):
            # Samples are judged as they are, unless the objective compares views of them.
            batch = engine.batch(x, y) if engine.learner.views > 1 else engine.plain(x, y)
            for name, value in engine.learner.score(batch).items():
                totals[name] = totals.get(name, 0.0) + float(value) * len(batch)
        save_sheet(engine.learner, modality, folder, engine.at.step)
        return {name: total / len(held) for name, total in totals.items()}

    return Validation(run, "loss", "min")


def _probe(data: Resident) -> torch.Tensor:
    return data.x[data.order.take(0, min(PROBE, len(data)))]
