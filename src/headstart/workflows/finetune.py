"""Learn from the labels a user owns, from a pre-trained encoder or from scratch."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headstart import backbones, modalities, tasks
from headstart.backbones.base import Backbone
from headstart.data import budget
from headstart.data.dataset import Dataset, Samples
from headstart.data.loader import Resident
from headstart.errors import UserError
from headstart.modalities.base import Modality
from headstart.runs.folder import RunFolder
from headstart.settings import Faults, as_plain, resolve
from headstart.tasks import mixing
from headstart.tasks.base import Task
from headstart.tasks.supervised import FineTuneConfig, Supervised
from headstart.training.engine import Engine, place
from headstart.training.health import Health
from headstart.training.timed import Around
from headstart.training.watching import Display, Validation, Watcher
from headstart.workflows import assemble
from headstart.workflows.assemble import Component, Say
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.onlookers import onlookers
from headstart.workflows.weights import hand_over, read_model, save_model

EPOCHS = 12
FEWEST_STEPS = 600


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


@dataclass
class _Labelled:
    """Labelled samples as tensors."""

    x: Tensor
    y: Tensor
    samples: Samples

    def __len__(self) -> int:
        return len(self.x)


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
    learn, validate, test, skipped = _labelled(config, dataset, parts)
    state = parts.task.cls.fit(parts.task.config, learn.samples.targets)
    task: Task = parts.task.cls(parts.task.config, parts.encoder.dim, state)
    for part, name in ((learn, "train"), (validate, "validation"), (test, "test")):
        if len(part):
            assert part.samples.targets is not None
            part.y = task.encode(part.samples.targets, name)
    learner = Supervised(parts.how, parts.encoder, task, pretrained=config.start is not None)
    health = Health(say)
    engine = _engine(
        learner,
        config,
        parts.modality,
        learn,
        validate,
        folder=folder,
        display=display,
        say=say,
        watchers=onlookers(config.training, health),
        around=replace(around, scored=len(learn) + len(validate) + len(test)),
    )
    assemble.begin(
        folder,
        {
            **as_plain(config),
            "modality": parts.modality_plain,
            "backbone": parts.backbone,
            "task": parts.task.plain(),
            "finetune": as_plain(parts.how),
        },
        {**parts.modality.state(), "task": {"name": parts.task.name, **state}},
        resume=resume,
    )
    for note in dataset.notes:
        say(note)
    if parts.hand_over:
        say(parts.hand_over)
    say(
        f"fine-tuning on {len(learn):,} labels ({len(validate):,} more to validate with),"
        f" {engine.length()}, on {engine.device}"
    )
    at = engine.fit(resume=resume)
    save_model(folder.model, learner)
    fit = score(engine, learner, learn)
    validated = score(engine, learner, validate) if len(validate) else None
    losses = None if validated is None else (fit["loss"], validated["loss"])
    findings = health.verdict(engine, losses)
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
        "labels": len(learn) + len(validate),
        "labels_train": len(learn),
        "labels_validation": len(validate),
        "train": fit,
        "val": at.best,
        "test": score(engine, learner, test) if len(test) else {},
        "health": findings,
        "skipped": skipped,
        "notes": dataset.notes,
        "versions": assemble.versions(),
    }
    folder.write_json(folder.result, result)
    return result


@torch.no_grad()
def score(engine: Engine, learner: Supervised, part: _Labelled) -> dict[str, Any]:
    """The loss and the task's figures over labelled samples."""
    parts = [
        learner.outputs(engine.plain(x)).float().cpu() for x, _ in Resident(part.x).in_order(512)
    ]
    outputs = torch.cat(parts)
    loss = float(learner.task.loss(outputs, part.y))
    return {**learner.task.figures(outputs, part.y), "loss": loss}


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
        dataset = given or assemble.open_data(config.data)
        return dataset, _parts_of_run(Path(config.start), dataset, task, how)
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


def _labelled(
    config: FinetuneConfig, dataset: Dataset, parts: _Parts
) -> tuple[_Labelled, _Labelled, _Labelled, dict[str, list[str]]]:
    """Samples to learn from, to validate with, and to be tested on; names of those skipped."""
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
    some = {name: samples for name, samples in wanted.items() if len(samples)}
    few = dataset.with_splits(some)
    made = assemble.material(few, parts.modality, config.data.on_bad, tuple(some))
    empty = dataset.train.take(np.arange(0))
    nothing = torch.empty(0)
    learn, validate, test = (
        _Labelled(made.x.get(name, nothing), nothing, made.samples.get(name, empty))
        for name in ("train", "validation", "test")
    )
    return learn, validate, test, made.skipped


def _engine(
    learner: Supervised,
    config: FinetuneConfig,
    modality: Modality,
    learn: _Labelled,
    validate: _Labelled,
    *,
    folder: RunFolder,
    display: Display | None,
    say: Say,
    watchers: list[Watcher],
    around: Around,
) -> Engine:
    place(learner, config.training)
    size = assemble.batch_size_for(len(learn), config.training.batch_size)
    engine = Engine(
        learner,
        config.training,
        Resident(learn.x, learn.y, seed=config.seed),
        modality,
        duration=assemble.duration_for(
            config.training.duration, len(learn), size, EPOCHS, FEWEST_STEPS
        ),
        batch_size=size,
        seed=config.seed,
        folder=folder,
        display=display,
        watchers=watchers,
        say=say,
        around=around,
    )
    if len(validate):
        engine.validation = Validation(
            lambda: {
                name: value
                for name, value in score(engine, learner, validate).items()
                if isinstance(value, int | float) and name != "n"
            },
            learner.task.metric,
            learner.task.direction,
        )
    return engine
