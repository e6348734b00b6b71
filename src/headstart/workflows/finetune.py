"""Learn from the labels a user owns, from a pre-trained encoder or from scratch."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from headstart import backbones, modalities, tasks
from headstart.backbones.base import Backbone
from headstart.data.dataset import Dataset
from headstart.data.loader import Loader, Shuffled
from headstart.data.mixed import Mixed
from headstart.errors import UserError
from headstart.modalities.base import Modality
from headstart.parts.learner import Learner
from headstart.runs.folder import RunFolder
from headstart.settings import Faults, as_plain, resolve
from headstart.tasks import mixing
from headstart.tasks.base import Task
from headstart.tasks.self_training import (
    UNLABELLED,
    SelfTraining,
    SelfTrainingConfig,
    class_shares,
)
from headstart.tasks.supervised import FineTuneConfig, Supervised
from headstart.training.engine import Engine, place
from headstart.training.health import Health
from headstart.training.timed import Around
from headstart.training.watching import Display, Validation, Watcher
from headstart.workflows import assemble
from headstart.workflows.assemble import Component, Say
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.onlookers import onlookers
from headstart.workflows.sets import REST, cut_sets
from headstart.workflows.supply import Supply
from headstart.workflows.weights import hand_over, read_model, save_model

EPOCHS = 8
FEWEST_STEPS = 600
SELF_TRAINING_EPOCHS = 10
SELF_TRAINING_FEWEST_STEPS = 1_500


@dataclass
class _Parts:
    """What the settings name, checked."""

    task: Component
    backbone: dict[str, Any]
    how: FineTuneConfig
    self_training: SelfTrainingConfig | None
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
    around: Around | None = None,
    display: Display | None = None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Fine-tune and leave a finished run in `folder`; returns its `result.json`.

    dataset: samples in memory; by default those that `config.data` names.
    around: of a run that time decides, when it began and what the caller does afterwards.

    Raises:
        UserError: settings or data are wrong, or the pre-trained encoder does not fit.
        InterruptedRunError: a signal came; the run can be resumed.
    """
    around = around or Around()
    dataset, parts = _parts(config, dataset)
    mixing.check(
        parts.how.mixup,
        parts.how.cutmix,
        classes=parts.task.cls.classes_apart,
        pictures=parts.modality.spec.is_image,
    )
    splits = cut_sets(config, dataset, classes=parts.task.cls.classes_apart)
    state = parts.task.cls.fit(parts.task.config, splits["train"].targets)
    task: Task = parts.task.cls(parts.task.config, parts.encoder.dim, state)
    encoded = {
        name: task.encode(samples.targets, name)
        for name, samples in splits.items()
        if name != REST and samples.targets is not None
    }
    counts = {name: len(splits.get(name, ())) for name in ("train", "validation", "test", REST)}
    learner = Supervised(parts.how, parts.encoder, task, pretrained=config.start is not None)
    pupil: Learner = learner
    if parts.self_training is not None:
        pupil = SelfTraining(parts.self_training, learner, class_shares(encoded["train"]))
        learner = pupil.teacher
        encoded[REST] = torch.full((counts[REST],), UNLABELLED)
    health = Health(say)
    size = _batch_size(pupil, counts, config)
    with Supply(
        splits, parts.modality, config.data, seed=config.seed, batch_size=size, say=say
    ) as supply:
        for name, targets in encoded.items():
            supply.loaders[name].y = targets
        engine = _engine(
            pupil,
            learner,
            config,
            parts.modality,
            supply,
            batch_size=size,
            folder=folder,
            display=display,
            say=say,
            watchers=onlookers(config.training, health),
            around=replace(around, scored=sum(counts.values()) - counts[REST]),
        )
        _begin(config, folder, parts, state, resume=resume)
        for note in (*dataset.notes, *supply.notes, parts.hand_over):
            if note is not None:
                say(note)
        rest = f", and on {counts[REST]:,} samples without" if parts.self_training else ""
        say(
            f"fine-tuning on {counts['train']:,} labels ({counts['validation']:,} more to validate"
            f" with){rest}, {engine.length()}, on {engine.device}"
        )
        at = engine.fit(resume=resume)
        save_model(folder.model, learner)
        scores = {
            name: score(engine, learner, loader)
            for name, loader in supply.loaders.items()
            if name != REST
        }
        fit, validated = scores["train"], scores.get("validation")
        losses = None if validated is None else (fit["loss"], validated["loss"])
        findings = health.verdict(engine, losses)
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
        "wall_seconds": time.monotonic() - around.begun,
        "parameters": sum(p.numel() for p in learner.parameters()),
        "labels": counts["train"] + counts["validation"],
        "labels_train": counts["train"],
        "labels_validation": counts["validation"],
        "unlabelled": counts[REST],
        "train": fit,
        "val": at.best,
        "test": scores.get("test", {}),
        "health": findings,
        "skipped": skipped,
        "notes": [*dataset.notes, *supply.notes],
        "versions": assemble.versions(),
    }
    folder.write_json(folder.result, result)
    return result


def _begin(
    config: FinetuneConfig, folder: RunFolder, parts: _Parts, state: dict[str, Any], *, resume: bool
) -> None:
    plain = {
        **as_plain(config),
        "modality": parts.modality_plain,
        "backbone": parts.backbone,
        "task": parts.task.plain(),
        "finetune": as_plain(parts.how),
        "self_training": as_plain(parts.self_training) if parts.self_training else {},
    }
    preprocessing = {**parts.modality.state(), "task": {"name": parts.task.name, **state}}
    assemble.begin(folder, plain, preprocessing, resume=resume)


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
    alone = _self_training(config, task, faults)
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
        dataset = given or assemble.open_data(config.data)
        return dataset, _parts_of_run(Path(config.start), dataset, task, how, alone)
    dataset = given or assemble.open_data(config.data)
    kind = config.modality.get("name", dataset.kind)
    modality_part = assemble.component(modalities.table, config.modality, kind, "modality", faults)
    default = modality_part.cls.default_backbone if modality_part.cls else "mlp"
    backbone = assemble.component(backbones.table, config.backbone, default, "backbone", faults)
    faults.raise_if_any()
    assert how is not None
    modality = assemble.fitted_modality(dataset, modality_part)
    encoder = assemble.build_backbone(backbone, modality.spec, config.seed)
    plain = modality_part.plain()
    return dataset, _Parts(task, backbone.plain(), how, alone, modality, plain, encoder, None)


def _self_training(
    config: FinetuneConfig, task: Component, faults: Faults
) -> SelfTrainingConfig | None:
    """Its settings, where it was asked for."""
    settings = resolve(SelfTrainingConfig, config.self_training, faults, "self_training")
    if config.unlabelled == "ignore":
        return None
    if task.cls is not None and not task.cls.classes_apart:
        faults.add("--unlabelled self-train needs classes to answer: use --task classification.")
    return settings


def _parts_of_run(
    path: Path,
    dataset: Dataset,
    task: Component,
    how: FineTuneConfig,
    alone: SelfTrainingConfig | None,
) -> _Parts:
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
    return _Parts(task, raw["backbone"], how, alone, modality, raw["modality"], encoder, said)


def _batch_size(pupil: Learner, counts: dict[str, int], config: FinetuneConfig) -> int:
    if isinstance(pupil, SelfTraining):
        samples = counts["train"] + counts[REST]
        return assemble.batch_size_for(
            samples, config.training.batch_size, SelfTraining.usual_batch
        )
    return assemble.batch_size_for(counts["train"], config.training.batch_size)


def _engine(
    pupil: Learner,
    learner: Supervised,
    config: FinetuneConfig,
    modality: Modality,
    supply: Supply,
    *,
    batch_size: int,
    folder: RunFolder,
    display: Display | None,
    say: Say,
    watchers: list[Watcher],
    around: Around,
) -> Engine:
    """pupil: what is trained; learner: what answers afterwards, the pupil itself or its teacher."""
    place(pupil, config.training)
    few = supply.loaders["train"]
    data: Shuffled = few
    epochs, fewest = EPOCHS, FEWEST_STEPS
    if isinstance(pupil, SelfTraining):
        data = Mixed(few, supply.loaders[REST], pupil.config.share)
        epochs, fewest = SELF_TRAINING_EPOCHS, SELF_TRAINING_FEWEST_STEPS
    length = assemble.duration_for(config.training.duration, len(data), batch_size, epochs, fewest)
    engine = Engine(
        pupil,
        config.training,
        data,
        modality,
        duration=length,
        batch_size=batch_size,
        seed=config.seed,
        folder=folder,
        display=display,
        watchers=watchers,
        say=say,
        around=around,
    )
    held = supply.loaders.get("validation")
    if held is not None:
        engine.validation = Validation(
            lambda: {
                name: value
                for name, value in score(engine, learner, held).items()
                if isinstance(value, int | float) and name != "n"
            },
            learner.task.metric,
            learner.task.direction,
        )
    return engine
