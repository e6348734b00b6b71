"""Learn from the labels a user owns, from a pre-trained encoder or from scratch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart import backbones, modalities, tasks
from headstart.backbones.base import Backbone
from headstart.data import budget
from headstart.data.dataset import Dataset, Samples
from headstart.data.loader import Loader
from headstart.errors import UserError
from headstart.modalities.base import Modality
from headstart.runs.folder import RunFolder
from headstart.settings import Faults, as_plain, resolve
from headstart.tasks.base import Task
from headstart.tasks.supervised import FineTuneConfig, Supervised
from headstart.training import health
from headstart.training.engine import Display, Engine, Progress, Validation, place
from headstart.workflows import assemble
from headstart.workflows.assemble import Component, Say
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.supply import Supply
from headstart.workflows.weights import hand_over, read_model, save_model

EPOCHS = 12
FEWEST_STEPS = 600
PROBE = 512  # samples that health looks at


@dataclass
class _Parts:
    """What the settings name, checked."""

    task: Component
    backbone: dict[str, Any]
    how: FineTuneConfig
    modality: Modality
    modality_plain: dict[str, Any]
    encoder: Backbone
    hand_over: str | None


def finetune(
    config: FinetuneConfig,
    folder: RunFolder,
    *,
    dataset: Dataset | None = None,
    resume: bool = False,
    display: Display | None = None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Fine-tune and leave a finished run in `folder`; returns its `result.json`.

    dataset: samples in memory; by default those that `config.data` names.

    Raises:
        UserError: settings or data are wrong, or the pre-trained encoder does not fit.
        InterruptedRunError: a signal came; the run can be resumed.
    """
    begun = time.monotonic()
    dataset, parts = _parts(config, dataset)
    splits = _labelled(config, dataset, parts)
    state = parts.task.cls.fit(parts.task.config, splits["train"].targets)
    task: Task = parts.task.cls(parts.task.config, parts.encoder.dim, state)
    learner = Supervised(parts.how, parts.encoder, task, pretrained=config.start is not None)
    plain = {
        **as_plain(config),
        "modality": parts.modality_plain,
        "backbone": parts.backbone,
        "task": parts.task.plain(),
        "finetune": as_plain(parts.how),
    }
    preprocessing = {**parts.modality.state(), "task": {"name": parts.task.name, **state}}
    size = assemble.batch_size_for(len(splits["train"]), config.training.batch_size)
    with Supply(
        splits, parts.modality, config.data, seed=config.seed, batch_size=size, say=say
    ) as supply:
        for name, samples in splits.items():
            assert samples.targets is not None
            supply.loaders[name].y = task.encode(samples.targets, name)
        engine = _engine(
            learner, config, parts.modality, supply, size=size, folder=folder, display=display
        )
        assemble.begin(folder, plain, preprocessing, resume=resume)
        for note in (*dataset.notes, *supply.notes, parts.hand_over):
            if note is not None:
                say(note)
        counts = {name: len(splits.get(name, ())) for name in ("train", "validation")}
        say(
            f"fine-tuning on {counts['train']:,} labels ({counts['validation']:,} more to validate"
            f" with), {engine.length()}, on {engine.device}"
        )
        at = engine.fit(resume=resume)
        save_model(folder.model, learner)
        findings, figures = _judge(engine, learner, supply, at)
        skipped = supply.skipped(at.position)
    result = {
        "status": "done",
        "command": "finetune",
        "task": parts.task.name,
        "backbone": parts.backbone["name"],
        "start": config.start,
        "hand_over": parts.hand_over,
        "data": config.data.path,
        **engine.summary(),
        "wall_seconds": time.monotonic() - begun,
        "parameters": sum(p.numel() for p in learner.parameters()),
        "labels": sum(counts.values()),
        "labels_train": counts["train"],
        "labels_validation": counts["validation"],
        "train": figures["train"],
        "val": at.best,
        "test": figures.get("test", {}),
        "health": findings,
        "skipped": skipped,
        "notes": [*dataset.notes, *supply.notes],
        "versions": assemble.versions(),
    }
    folder.write_json(folder.result, result)
    return result


def _judge(
    engine: Engine, learner: Supervised, supply: Supply, at: Progress
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Health, and the task's figures of every split."""
    x, y = next(iter(supply.loaders["train"].in_order(PROBE)))
    findings = health.examine(learner, engine.plain(x, y), at)
    figures = {name: score(engine, learner, loader) for name, loader in supply.loaders.items()}
    if "validation" in figures:
        health.note_overfitting(findings, figures["train"]["loss"], figures["validation"]["loss"])
    return findings, figures


@torch.no_grad()
def score(engine: Engine, learner: Supervised, data: Loader) -> dict[str, Any]:
    """The loss and the task's figures over labelled samples."""
    parts = [
        (learner.outputs(engine.plain(x)).float().cpu(), y)
        for x, y in data.in_order(512)
        if y is not None
    ]
    outputs, targets = (torch.cat(column) for column in zip(*parts, strict=True))
    loss = float(learner.task.loss(outputs, targets))
    return {**learner.task.figures(outputs, targets), "loss": loss}


def _parts(config: FinetuneConfig, given: Dataset | None) -> tuple[Dataset, _Parts]:
    """Everything the settings name; all their faults in one error."""
    faults = Faults()
    task = assemble.component(tasks.table, config.task, "classification", "task", faults)
    how = resolve(FineTuneConfig, config.finetune, faults, "finetune")
    if config.start is not None:
        of_run = RunFolder.open(config.start).read_config()
        for name in ("backbone", "modality"):
            if getattr(config, name) not in ({}, of_run.get(name)):
                faults.add(
                    f"the {name} comes from the run {config.start}: leave its settings out,"
                    " or leave --from out."
                )
        faults.raise_if_any()
        assert how is not None
        dataset = given or assemble.open_data(config.data, config.seed)
        return dataset, _parts_of_run(Path(config.start), dataset, task, how)
    dataset = given or assemble.open_data(config.data, config.seed)
    kind = config.modality.get("name", dataset.kind)
    modality_part = assemble.component(modalities.table, config.modality, kind, "modality", faults)
    default = modality_part.cls.default_backbone if modality_part.cls else "mlp"
    backbone = assemble.component(backbones.table, config.backbone, default, "backbone", faults)
    faults.raise_if_any()
    assert how is not None
    modality = assemble.fitted_modality(dataset, modality_part)
    encoder = assemble.build_backbone(backbone, modality.spec, config.seed)
    plain = modality_part.plain()
    return dataset, _Parts(task, backbone.plain(), how, modality, plain, encoder, None)


def _parts_of_run(path: Path, dataset: Dataset, task: Component, how: FineTuneConfig) -> _Parts:
    run = RunFolder.open(path)
    raw = run.read_config()
    state = run.read_json(run.preprocessing)
    if state.get("modality") != dataset.kind:
        raise UserError(
            f"{path} was pre-trained on data of kind '{state.get('modality')}';"
            f" {dataset.source} is of kind '{dataset.kind}'.",
            "Choose another --from, or leave it out to train from scratch.",
        )
    modality = assemble.load_modality(state)
    encoder = assemble.load_backbone(raw.get("backbone", {}), modality.spec)
    said = hand_over(encoder, read_model(run.model), str(path))
    return _Parts(task, raw["backbone"], how, modality, raw["modality"], encoder, said)


def _labelled(config: FinetuneConfig, dataset: Dataset, parts: _Parts) -> dict[str, Samples]:
    """Samples to learn from and, where there are any, to validate with and to be tested on."""
    own = dataset.splits.get("validation")
    unlimited = config.labels is None and config.labels_per_class is None
    use_own = unlimited and own is not None and bool(own.has_label.any())
    chosen = budget.choose(
        dataset.train,
        classes=parts.task.cls.classes_apart,
        labels=config.labels,
        per_class=config.labels_per_class,
        seed=config.seed,
        share=0.0 if use_own else None,
    )
    wanted = {
        "train": dataset.train.take(chosen.train),
        "validation": own if use_own and own else dataset.train.take(chosen.validation),
        "test": dataset.splits.get("test", dataset.train.take(np.arange(0))),
    }
    wanted = {n: s.take(np.flatnonzero(s.has_label)) for n, s in wanted.items() if len(s)}
    return {name: samples for name, samples in wanted.items() if len(samples)}


def _engine(
    learner: Supervised,
    config: FinetuneConfig,
    modality: Modality,
    supply: Supply,
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
        engine.validation = Validation(
            lambda: {
                name: value
                for name, value in score(engine, learner, supply.loaders["validation"]).items()
                if isinstance(value, int | float) and name != "n"
            },
            learner.task.metric,
            learner.task.direction,
        )
    return engine
