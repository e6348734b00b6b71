"""Learn from the labels a user owns, from a pre-trained encoder or from scratch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from headstart import backbones, modalities, tasks
from headstart.backbones.base import Backbone
from headstart.data.dataset import Dataset, Samples
from headstart.data.loader import Loader
from headstart.errors import UserError
from headstart.modalities.base import Modality
from headstart.runs.folder import RunFolder
from headstart.settings import Faults, as_plain, resolve
from headstart.tasks import mixing
from headstart.tasks.base import Task
from headstart.tasks.frames import joined
from headstart.tasks.lexical import Lexical
from headstart.tasks.self_training import SelfTraining
from headstart.tasks.supervised import FineTuneConfig, Supervised
from headstart.training.engine import Engine, place
from headstart.training.health import Health
from headstart.training.timed import Around
from headstart.training.watching import Display, Validation, Watcher
from headstart.workflows import assemble, views
from headstart.workflows.assemble import Component, Say
from headstart.workflows.beside import against_baselines
from headstart.workflows.calibrating import calibrated
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.neighbourhood import neighbourhood
from headstart.workflows.onlookers import onlookers
from headstart.workflows.origin import source_of
from headstart.workflows.pupils import Pupil, Ways, pupil_for, ways
from headstart.workflows.room import with_room
from headstart.workflows.sets import REST, cut_sets, labelled_train, word_by_word
from headstart.workflows.supply import Supply
from headstart.workflows.weights import hand_over, read_model, save_model

Outputs = tuple[torch.Tensor, torch.Tensor]


@dataclass
class _Parts:
    """What the settings name, checked."""

    task: Component
    backbone: dict[str, Any]
    how: FineTuneConfig
    ways: Ways
    modality: Modality
    modality_plain: dict[str, Any]
    encoder: Backbone
    hand_over: str | None
    why: str | None = None  # this task, where none was named


def finetune(
    config: FinetuneConfig,
    folder: RunFolder,
    *,
    dataset: Dataset | None = None,
    resume: bool = False,
    around: Around | None = None,
    display: Display | None = None,
    say: Say = lambda _: None,
    watchers: Sequence[Watcher] = (),
) -> dict[str, Any]:
    """Fine-tune and leave a finished run in `folder`; returns its `result.json`.

    dataset: samples in memory; by default those that `config.data` names.
    around: of a run that time decides, when it began and what the caller does afterwards.
    watchers: who looks on besides those that the settings ask for.

    Raises:
        UserError: settings or data are wrong, or the pre-trained encoder does not fit.
        InterruptedRunError: a signal came; the run can be resumed.
    """
    around = around or Around()
    _keep_apart(config, folder)
    dataset, parts = _parts(config, dataset)
    splits = _splits(config, dataset, parts)
    task, state = _task(parts, splits["train"])
    room = with_room(splits, task, parts.encoder, parts.modality, config.data)
    splits = room.splits
    counts = {name: len(splits.get(name, ())) for name in ("train", "validation", "test", REST)}
    pretrained = config.start is not None or parts.encoder.pretrained
    network = Supervised(parts.how, parts.encoder, task, pretrained=pretrained)
    pupil = pupil_for(config, parts.ways, network, spec=parts.modality.spec, splits=splits, say=say)
    health = Health(say)
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    size = pupil.batch_size(config.training.batch_size, counts)
    with Supply(
        splits, parts.modality, config.data, seed=config.seed, batch_size=size, say=say
    ) as supply:
        for name, targets in pupil.targets.items():
            supply.loaders[name].y = targets
        engine = _engine(
            pupil,
            config,
            parts.modality,
            supply,
            batch_size=size,
            folder=folder,
            display=display,
            say=say,
            watchers=onlookers(config.training, health, *watchers),
            around=replace(around, scored=sum(counts.values()) - counts[REST]),
        )
        _begin(config, folder, parts, state, resume=resume)
        why = [parts.why] if parts.why else []
        notes = [*dataset.notes, *why, *parts.modality.notes, *room.notes, *supply.notes]
        for one in notes:
            say(one)
        if parts.hand_over is not None:
            say(parts.hand_over)
        rest = f", and on {counts[REST]:,} samples without" if counts[REST] else ""
        say(
            f"fine-tuning on {counts['train']:,} labels ({counts['validation']:,} more to validate"
            f" with){rest}, {engine.length()}, on {engine.device}"
        )
        _give_neighbours(pupil, supply, parts.modality, pretrained=pretrained, say=say)
        at = engine.fit(resume=resume)
        pupil.network.merge()
        save_model(folder.model, pupil.network)
        said = {n: answers(engine, pupil, x) for n, x in supply.loaders.items() if n != REST}
        gained, calibration, note = calibrated(pupil.network.task, said)
        if note is not None:
            say(note)
        folder.write_preprocessing(_preprocessing(parts, {**state, **gained}))
        scores = {name: score(pupil, *one) for name, one in said.items()}
        fit, validated = scores["train"], scores.get("validation")
        losses = None if validated is None else (fit["loss"], validated["loss"])
        findings = health.verdict(engine, losses)
        skipped = supply.skipped(at.position)
    if room.left_out:
        skipped["train"] = [*room.left_out, *skipped.get("train", [])]
    against, winner = against_baselines(config, splits, parts.modality, task, scores, say=say)
    result = {
        **_about(config, parts),
        "source": source_of(config.data, dataset, parts.modality),
        **engine.summary(),
        "wall_seconds": time.monotonic() - around.begun,
        "parameters": sum(p.numel() for p in pupil.network.parameters()),
        "trainable_parameters": trainable,
        "mode": network.mode,
        "labels": counts["train"] + counts["validation"],
        "labels_train": counts["train"],
        "labels_validation": counts["validation"],
        "unlabelled": counts[REST],
        "train": fit,
        "val": at.best,
        "test": scores.get("test", {}),
        **({"baselines": against, "winner": winner} if against else {}),
        "calibration": calibration,
        "health": findings,
        "skipped": skipped,
        "notes": [*notes, *([note] if note else [])],
        "versions": assemble.versions(),
    }
    folder.write_json(folder.result, result)
    return result


def _keep_apart(config: FinetuneConfig, folder: RunFolder) -> None:
    """Raises:
    UserError: something that the run learns from would be written over.
    """
    data = config.data
    folder.keep_apart("--from", config.start)
    folder.keep_apart("--teacher", *config.teacher)
    folder.keep_apart("--labels-from", config.labels_from)
    folder.keep_apart("DATA", data.path, data.train, data.validation, data.test)


def _splits(config: FinetuneConfig, dataset: Dataset, parts: _Parts) -> dict[str, Samples]:
    """What is learned from, validated with and tested on, once task and settings suit the data."""
    kind: type[Task] = parts.task.cls
    kind.suits(parts.modality.spec)
    mixing.check(parts.how.mixup, parts.how.cutmix, parts.modality.spec, framewise=kind.framewise)
    splits = cut_sets(config, dataset, classes=kind.classes_apart)
    return word_by_word(parts.modality, splits) if kind.framewise else splits


def _task(parts: _Parts, train: Samples) -> tuple[Task, dict[str, Any]]:
    """The task, fitted to the labels that are learned from, and what it fitted."""
    kind: type[Task] = parts.task.cls
    assert train.targets is not None  # a budget holds what has labels
    state = kind.fit(parts.task.config, train.targets)
    if kind.framewise and parts.modality.spec.step is not None:
        state["seconds"] = parts.modality.spec.step * parts.encoder.stride
    return kind(parts.task.config, kind.dim_of(parts.encoder), state), state


def _give_neighbours(
    pupil: Pupil, supply: Supply, modality: Modality, *, pretrained: bool, say: Say
) -> None:
    """Give a self-training that asks for one its graph of samples."""
    if isinstance(pupil.learner, SelfTraining) and pupil.learner.config.graph:
        pupil.learner.graph = neighbourhood(
            modality,
            supply.loaders["train"],
            supply.loaders[REST],
            pupil.learner.trust.prior,
            pretrained=pretrained,
            say=say,
        )


def _about(config: FinetuneConfig, parts: _Parts) -> dict[str, Any]:
    """The part of `result.json` that says what was done."""
    return {
        "status": "done",
        "command": "finetune",
        "task": parts.task.name,
        "backbone": parts.backbone["name"],
        "start": config.start,
        "hand_over": parts.hand_over,
        "data": config.data.path,
    }


def _begin(
    config: FinetuneConfig, folder: RunFolder, parts: _Parts, state: dict[str, Any], *, resume: bool
) -> None:
    plain = {
        **as_plain(config),
        "modality": parts.modality_plain,
        "backbone": parts.backbone,
        "task": parts.task.plain(),
        "finetune": as_plain(parts.how),
        **parts.ways.plain(),
    }
    assemble.begin(folder, plain, _preprocessing(parts, state), resume=resume)


def _preprocessing(parts: _Parts, state: dict[str, Any]) -> dict[str, Any]:
    return {**parts.modality.state(), "task": {"name": parts.task.name, **state}}


@torch.no_grad()
def answers(engine: Engine, pupil: Pupil, data: Loader) -> Outputs:
    """Outputs `[N, K]` (of frames `[N, T, K]`) for labelled samples, and their encoded targets."""
    parts = [
        (pupil.network.outputs(engine.plain(x)).float().cpu(), pupil.labels(y))
        for x, y in data.in_order(512)
        if y is not None
    ]
    outputs, targets = zip(*parts, strict=True)
    return joined(outputs), torch.cat(targets)


def score(pupil: Pupil, outputs: torch.Tensor, targets: torch.Tensor) -> dict[str, Any]:
    """The loss and the task's figures."""
    task = pupil.network.task
    return {**task.figures(outputs, targets), "loss": float(task.loss(outputs, targets))}


def _opened(config: FinetuneConfig) -> Dataset:
    """The data, read as the modality asks for that is named, or that the first run has."""
    modality = config.modality
    if config.start is not None:
        modality = RunFolder.open(config.start).read_config().get("modality", {})
    return assemble.open_data(config.data, modality)


def _parts(config: FinetuneConfig, given: Dataset | None) -> tuple[Dataset, _Parts]:
    """Everything the settings name; all their faults in one error."""
    faults = Faults()
    if given is None and "name" not in config.task:  # the data may say what their targets ask for
        given = _opened(config)
    chosen = None
    if given is not None and "name" not in config.task:
        known = {**given.splits, "train": labelled_train(config, given)}
        chosen = assemble.task_for(given.with_splits(known))
    default = chosen.name if chosen else "classification"
    why = chosen.why if chosen else None
    task = assemble.component(tasks.table, config.task, default, "task", faults)
    how = resolve(FineTuneConfig, config.finetune, faults, "finetune")
    asked = ways(config, task, faults)
    if config.start is not None:
        of_run = RunFolder.open(config.start).read_config()
        if config.backbone not in ({}, of_run.get("backbone")):
            faults.add(
                f"the backbone comes from the run {config.start}: leave its settings out,"
                " or leave --from out."
            )
        if views.asks_more(config.modality, of_run["modality"]):
            faults.add(
                f"the modality comes from the run {config.start}: leave its settings out but for"
                " those of modality.augment, or leave --from out."
            )
        faults.raise_if_any()
        assert how is not None
        dataset = given or _opened(config)
        return dataset, replace(_parts_of_run(config, dataset, task, how, asked), why=why)
    dataset = given or _opened(config)
    kind = config.modality.get("name", dataset.kind)
    modality_part = assemble.component(modalities.table, config.modality, kind, "modality", faults)
    modality_part = assemble.reader(modality_part, dataset)
    default = modality_part.cls.default_backbone if modality_part.cls else "mlp"
    backbone = assemble.component(backbones.table, config.backbone, default, "backbone", faults)
    modality_part = assemble.suited(modality_part, backbone, config.modality, faults)
    faults.raise_if_any()
    assert how is not None
    modality = assemble.fitted_modality(dataset, modality_part)
    said: list[str] = []
    encoder = assemble.build_backbone(backbone, modality.spec, config.seed, said.append)
    plain = modality_part.plain()
    return dataset, _Parts(
        task, backbone.plain(), how, asked, modality, plain, encoder, "".join(said) or None, why
    )


def _parts_of_run(
    config: FinetuneConfig,
    dataset: Dataset,
    task: Component,
    how: FineTuneConfig,
    asked: Ways,
) -> _Parts:
    assert config.start is not None
    path = Path(config.start)
    run = RunFolder.open(path)
    raw = run.read_config()
    state = run.read_preprocessing()
    if state.get("modality") != dataset.kind:
        raise UserError(
            f"{path} was pre-trained on data of kind '{state.get('modality')}';"
            f" {dataset.source} is of kind '{dataset.kind}'.",
            "Choose another --from, or leave it out to train from scratch.",
        )
    modality, plain = views.seen_anew(
        assemble.load_modality(state), dataset, config.modality, raw["modality"]
    )
    encoder = assemble.load_backbone(raw.get("backbone", {}), modality.spec)
    said = hand_over(encoder, read_model(run.model), str(path))
    return _Parts(task, raw["backbone"], how, asked, modality, plain, encoder, said)


def _engine(
    pupil: Pupil,
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
    for part in pupil.learner.modules():
        if isinstance(part, Lexical):
            read = [supply.loaders[n] for n in ("train", REST) if n in supply.loaders]
            part.count(modality.prepare(x) for one in read for x, _ in one.in_order(512))
    place(pupil.learner, config.training)
    data = pupil.data(supply.loaders)
    engine = Engine(
        pupil.learner,
        config.training,
        data,
        modality,
        duration=pupil.duration(config.training.duration, len(data), batch_size),
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
                for name, value in score(pupil, *answers(engine, pupil, held)).items()
                if isinstance(value, int | float) and name != "n"
            },
            pupil.network.task.metric,
            pupil.network.task.direction,
        )
    return engine
