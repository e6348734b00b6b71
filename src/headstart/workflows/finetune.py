"""Learn from the labels a user owns, from a pre-trained encoder or from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headstart import tasks
from headstart.data.dataset import SPLITS, Dataset, Samples
from headstart.modalities.base import Modality
from headstart.runs.folder import RunFolder
from headstart.settings import Faults, as_plain, resolve
from headstart.tasks import mixing
from headstart.tasks.base import Task
from headstart.tasks.lexical import Lexical
from headstart.tasks.self_training import SelfTraining
from headstart.tasks.supervised import FineTuneConfig, Supervised
from headstart.training.engine import Engine
from headstart.training.timed import Overhead
from headstart.training.watching import Display, Watcher
from headstart.workflows import assemble
from headstart.workflows.against_baselines import against_baselines
from headstart.workflows.assemble import Component, Say
from headstart.workflows.calibrating import calibrated
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.job import Job
from headstart.workflows.loaded import at_once
from headstart.workflows.neighbourhood import neighbourhood
from headstart.workflows.origin import source_of
from headstart.workflows.overlong import Kept, without_overlong
from headstart.workflows.scoring import answers, score, validation
from headstart.workflows.sets import REST, cut_sets, labelled_train, word_by_word
from headstart.workflows.starting import Start, from_run, from_scratch, opened
from headstart.workflows.student import Student, Ways, student_for, ways
from headstart.workflows.supply import Supply
from headstart.workflows.weights import save_model


@dataclass(frozen=True)
class _Parts:
    """What the settings name and the data suggest, checked.

    why: this task, where none was named.
    """

    config: FinetuneConfig
    dataset: Dataset
    task: Component
    why: str | None
    how: FineTuneConfig
    ways: Ways
    start: Start

    @property
    def modality(self) -> Modality:
        return self.start.modality

    @property
    def pretrained(self) -> bool:
        """Whether the encoder sees something from the beginning."""
        return self.config.start is not None or self.start.encoder.pretrained

    def plain(self) -> dict[str, Any]:
        """Everything that a run is repeated by."""
        return {
            **as_plain(self.config),
            **self.start.settings,
            "task": self.task.plain(),
            "finetune": as_plain(self.how),
            **self.ways.plain(),
        }

    def preprocessing(self, state: dict[str, Any]) -> dict[str, Any]:
        """What was fitted on train; state: by the task."""
        return {**self.modality.state(), "task": {"name": self.task.name, **state}}

    def about(self) -> dict[str, Any]:
        """The part of `result.json` that says what was done."""
        return {
            "command": "finetune",
            "task": self.task.name,
            "backbone": self.start.settings["backbone"]["name"],
            "start": self.config.start,
            "hand_over": self.start.hand_over,
            "data": self.config.data.path,
            "source": source_of(self.config.data, self.dataset, self.modality),
        }


@dataclass(frozen=True)
class _Lesson:
    """Who learns, and from which samples.

    state: what the task fitted to the labels; network: the encoder with the task's head.
    trainable: parameters that may move.
    """

    state: dict[str, Any]
    kept: Kept
    network: Supervised
    student: Student
    trainable: int

    def count(self, split: str) -> int:
        """Samples of a split, 0 where there is none."""
        return len(self.kept.splits.get(split, ()))

    def about(self) -> dict[str, Any]:
        """The part of `result.json` that says how large all is."""
        train, validation = self.count("train"), self.count("validation")
        return {
            "parameters": sum(p.numel() for p in self.student.network.parameters()),
            "trainable_parameters": self.trainable,
            "mode": self.network.mode,
            "labels": train + validation,
            "labels_train": train,
            "labels_validation": validation,
            "unlabelled": self.count(REST),
        }


def finetune(
    config: FinetuneConfig,
    folder: RunFolder,
    *,
    dataset: Dataset | None = None,
    resume: bool = False,
    overhead: Overhead | None = None,
    display: Display | None = None,
    say: Say = lambda _: None,
    watchers: Sequence[Watcher] = (),
) -> dict[str, Any]:
    """Fine-tune and leave a finished run in `folder`; returns its `result.json`.

    dataset: samples in memory; by default those that `config.data` names.
    overhead: of a run that time decides, when it began and what the caller does afterwards.
    watchers: who looks on besides those that the settings ask for.

    Raises:
        UserError: settings or data are wrong, or the pre-trained encoder does not fit.
        InterruptedRunError: a signal came; the run can be resumed.
    """
    job = Job(folder, resume=resume, overhead=overhead, display=display, say=say, watchers=watchers)
    _keep_apart(config, folder)
    parts = _parts(config, dataset)
    lesson = _lesson(parts, say)
    student, splits = lesson.student, lesson.kept.splits
    size = student.batch_size(config.training.batch_size, lesson.count("train"), lesson.count(REST))
    with Supply(
        splits, parts.modality, config.data, seed=config.seed, batch_size=size, say=say
    ) as supply:
        engine = _engine(parts, lesson, supply, job, batch_size=size)
        _begin(parts, lesson, supply, engine, job)
        _give_neighbours(parts, student, supply, say)
        engine.fit(resume=resume)
        student.network.merge()
        save_model(folder.model, student.network)
        scores, calibration = _scored(parts, lesson, supply, engine, job)
        health = job.health.verdict(engine, _losses(scores))
        skipped = supply.skipped(engine.at.position)
    if lesson.kept.left_out:
        skipped["train"] = [*lesson.kept.left_out, *skipped.get("train", [])]
    task = lesson.network.task
    against, winner = against_baselines(config, splits, parts.modality, task, scores, say=say)
    figures = {
        **lesson.about(),
        "train": scores["train"],
        "val": engine.at.best,
        "test": scores.get("test", {}),
        **({"baselines": against, "winner": winner} if against else {}),
        "calibration": calibration,
    }
    return job.finish(parts.about(), engine, figures, health=health, skipped=skipped)


def _keep_apart(config: FinetuneConfig, folder: RunFolder) -> None:
    """Raises:
    UserError: something that the run learns from would be written over.
    """
    data = config.data
    folder.keep_apart("--from", config.start)
    folder.keep_apart("--teacher", *config.teacher)
    folder.keep_apart("--labels-from", config.labels_from)
    folder.keep_apart("DATA", data.path, data.train, data.validation, data.test)


def _lesson(parts: _Parts, say: Say) -> _Lesson:
    """The task fitted to the labels, its network, and the samples that it can learn from."""
    config, modality, encoder = parts.config, parts.modality, parts.start.encoder
    splits = _splits(parts)
    task, state = _task(parts, splits["train"])
    kept = without_overlong(splits, task, encoder, modality, config.data)
    network = Supervised(parts.how, encoder, task, pretrained=parts.pretrained)
    student = student_for(
        config, parts.ways, network, spec=modality.spec, splits=kept.splits, say=say
    )
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return _Lesson(state, kept, network, student, trainable)


def _splits(parts: _Parts) -> dict[str, Samples]:
    """What is learned from, validated with and tested on, once task and settings suit the data."""
    kind: type[Task] = parts.task.cls
    how, spec = parts.how, parts.modality.spec
    kind.suits(spec)
    mixing.check(how.mixup, how.cutmix, spec, framewise=kind.framewise)
    splits = cut_sets(parts.config, parts.dataset, classes=kind.classes_apart)
    return word_by_word(parts.modality, splits) if kind.framewise else splits


def _task(parts: _Parts, train: Samples) -> tuple[Task, dict[str, Any]]:
    """The task, fitted to the labels that are learned from, and what it fitted."""
    kind: type[Task] = parts.task.cls
    spec, encoder = parts.modality.spec, parts.start.encoder
    assert train.targets is not None  # a budget holds what has labels
    state = kind.fit(parts.task.config, train.targets)
    if kind.framewise and spec.step is not None:
        state["seconds"] = spec.step * encoder.stride
    return kind(parts.task.config, kind.dim_of(encoder), state), state


def _engine(parts: _Parts, lesson: _Lesson, supply: Supply, job: Job, *, batch_size: int) -> Engine:
    """What trains the student, on loaders that know its targets."""
    student, training = lesson.student, parts.config.training
    student.label(supply.loaders)
    for part in student.learner.modules():
        if isinstance(part, Lexical):
            read = [supply.loaders[n] for n in ("train", REST) if n in supply.loaders]
            part.count(parts.modality.prepare(x) for one in read for x, _ in one.in_order(512))
    data = student.data(supply.loaders)
    engine = job.engine(
        student.learner,
        training,
        data,
        parts.modality,
        duration=student.duration(training.duration, len(data), batch_size),
        batch_size=batch_size,
        seed=parts.config.seed,
        scored=sum(lesson.count(split) for split in SPLITS),
    )
    held = supply.loaders.get("validation")
    if held is not None:
        most = at_once(parts.modality.spec)
        engine.validation = validation(engine, student, held, at_once=most)
    return engine


def _begin(parts: _Parts, lesson: _Lesson, supply: Supply, engine: Engine, job: Job) -> None:
    """Write what the run is about, and say what the user should know of it."""
    job.begin(parts.plain(), parts.preprocessing(lesson.state), engine)
    why = [parts.why] if parts.why else []
    job.note(*parts.dataset.notes, *why, *parts.modality.notes, *lesson.kept.notes, *supply.notes)
    if parts.start.hand_over is not None:
        job.say(parts.start.hand_over)
    rest = f", and on {count:,} samples without" if (count := lesson.count(REST)) else ""
    job.say(
        f"fine-tuning on {lesson.count('train'):,} labels ({lesson.count('validation'):,} more to"
        f" validate with){rest}, {engine.length()}, on {engine.device}"
    )


def _give_neighbours(parts: _Parts, student: Student, supply: Supply, say: Say) -> None:
    """Give a self-training that asks for one its graph of samples."""
    if isinstance(student.learner, SelfTraining) and student.learner.config.graph:
        student.learner.graph = neighbourhood(
            parts.modality,
            supply.loaders["train"],
            supply.loaders[REST],
            student.learner.trust.prior,
            pretrained=parts.pretrained,
            say=say,
        )


def _scored(
    parts: _Parts, lesson: _Lesson, supply: Supply, engine: Engine, job: Job
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Figures by split of the network, calibrated where it can be, and what calibrating did."""
    student = lesson.student
    most = at_once(parts.modality.spec)
    said = {
        name: answers(engine, student, loader, at_once=most)
        for name, loader in supply.loaders.items()
        if name != REST
    }
    gained, calibration, note = calibrated(student.network.task, said)
    if note is not None:
        job.note(note)
    job.folder.write_preprocessing(parts.preprocessing({**lesson.state, **gained}))
    return {name: score(student, *one) for name, one in said.items()}, calibration


def _losses(scores: dict[str, dict[str, Any]]) -> tuple[float, float] | None:
    """On train and on validation, where there is one."""
    if "validation" not in scores:
        return None
    return scores["train"]["loss"], scores["validation"]["loss"]


def _parts(config: FinetuneConfig, given: Dataset | None) -> _Parts:
    """Everything the settings name; all their faults in one error."""
    faults = Faults()
    if given is None and "name" not in config.task:  # the data may say what their targets ask for
        given = opened(config)
    task, why = _task_named(config, given, faults)
    how = resolve(FineTuneConfig, config.finetune, faults, "finetune")
    asked = ways(config, task, faults)
    begin = from_scratch if config.start is None else from_run
    dataset, start = begin(config, given, faults)
    assert how is not None  # all faults were raised
    return _Parts(config, dataset, task, why, how, asked, start)


def _task_named(
    config: FinetuneConfig, given: Dataset | None, faults: Faults
) -> tuple[Component, str | None]:
    """The task that the settings name; else the one that the data suggest, and why."""
    if given is None or "name" in config.task:
        return assemble.component(tasks.table, config.task, "classification", "task", faults), None
    known = {**given.splits, "train": labelled_train(config, given)}
    chosen = assemble.task_for(given.with_splits(known))
    named = assemble.component(tasks.table, config.task, chosen.name, "task", faults)
    return named, chosen.why
