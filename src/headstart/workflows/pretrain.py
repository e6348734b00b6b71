"""Learn from every sample, labelled or not: makes a run that fine-tuning can start from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from headstart import backbones, objectives
from headstart.backbones.base import Backbone
from headstart.data.dataset import Dataset, Samples
from headstart.data.loader import Loader
from headstart.data.splits import parted
from headstart.errors import UserError
from headstart.modalities.base import Modality, Stretchy
from headstart.parts.learner import Learner, mean_scores
from headstart.runs.folder import RunFolder
from headstart.settings import Faults, as_plain
from headstart.training.engine import Engine
from headstart.training.health import PROBE
from headstart.training.timed import Overhead
from headstart.training.watching import Display, Validation, Watcher
from headstart.workflows import assemble, bakeoff, candidates, judges
from headstart.workflows.assemble import Component, Say
from headstart.workflows.bakeoff import AutoConfig, BakeOff, bake_off
from headstart.workflows.config import PretrainConfig
from headstart.workflows.job import Job
from headstart.workflows.origin import source_of
from headstart.workflows.sets import by_window, windows_of
from headstart.workflows.sheets import Sheets
from headstart.workflows.supply import Supply
from headstart.workflows.watchers import looked_at, probe_for
from headstart.workflows.weights import save_model

EPOCHS = 6
FEWEST_STEPS = 1_500
HELD_OUT = 0.05


@dataclass(frozen=True)
class _Parts:
    """What the settings name and the data suggest, checked.

    config: with the time that is left, where some went into finding the objective.
    """

    config: PretrainConfig
    dataset: Dataset
    objective: Component
    backbone: Component
    modality: Component
    fitted: Modality
    found: BakeOff | None

    def plain(self) -> dict[str, Any]:
        """Everything that a run is repeated by."""
        return {
            **as_plain(self.config),
            "modality": self.modality.plain(),
            "backbone": self.backbone.plain(),
            "objective": self.objective.plain(),
        }

    def about(self) -> dict[str, Any]:
        """The part of `result.json` that says what was done."""
        return {
            "command": "pretrain",
            "objective": self.objective.name,
            "backbone": self.backbone.name,
            "data": self.config.data.path,
            "source": source_of(self.config.data, self.dataset, self.fitted),
        }


def pretrain(
    config: PretrainConfig,
    folder: RunFolder,
    *,
    dataset: Dataset | None = None,
    resume: bool = False,
    overhead: Overhead | None = None,
    display: Display | None = None,
    say: Say = lambda _: None,
    watchers: Sequence[Watcher] = (),
) -> dict[str, Any]:
    """Pre-train and leave a finished run in `folder`; returns its `result.json`.

    dataset: samples in memory; by default those that `config.data` names.
    overhead: of a run that time decides, when it began and what the caller does afterwards.
    watchers: who looks on besides those that the settings ask for.

    Raises:
        UserError: settings or data are wrong; all faults of the settings are named at once.
        InterruptedRunError: a signal came; the run can be resumed.
    """
    job = Job(folder, resume=resume, overhead=overhead, display=display, say=say, watchers=watchers)
    parts = _parts(config, dataset, job)
    config, modality = parts.config, by_window(parts.fitted)
    learner = _learner(parts, modality, say)
    probe = probe_for(parts.dataset.train, modality, config.seed, say) if config.probe else None
    job.watchers = [Sheets(modality, folder), *([probe] if probe else []), *job.watchers]
    splits = windows_of(parts.fitted, _splits(parts.dataset, config.seed))
    size = _batch_size(learner, len(splits["train"]), config)
    rows = modality.stretches if learner.packs and isinstance(modality, Stretchy) else None
    with Supply(
        splits, modality, config.data, seed=config.seed, batch_size=size, say=say, rows=rows
    ) as supply:
        if rows is not None:  # a few long texts are many rows
            size = _batch_size(learner, len(supply.loaders["train"]), config)
        engine = _engine(config, job, learner, supply, modality, batch_size=size)
        _begin(parts, supply, engine, job)
        engine.fit(resume=resume)
        health = job.health.verdict(engine)
        skipped = supply.skipped(engine.at.position)
    save_model(folder.model, learner)
    figures = {
        "parameters": sum(p.numel() for p in learner.encoder.parameters()),
        "labels": 0,
        "labels_probed": len(probe) if probe else 0,
        **({"bakeoff": asdict(parts.found)} if parts.found else {}),
        "val": engine.at.best,
    }
    return job.finish(parts.about(), engine, figures, health=health, skipped=skipped)


def _begin(parts: _Parts, supply: Supply, engine: Engine, job: Job) -> None:
    """Write what the run is about, and say what the user should know of it."""
    job.begin(parts.plain(), parts.fitted.state(), engine)
    if parts.found is not None:
        bakeoff.save(job.folder, parts.found)
    job.note(*parts.dataset.notes, *parts.fitted.notes, *supply.notes)
    job.say(f"pre-training on {len(engine.data):,} samples, {engine.length()}, on {engine.device}")


def _parts(config: PretrainConfig, given: Dataset | None, job: Job) -> _Parts:
    """Everything the settings name; an objective that is to be found is found here."""
    data, faults = config.data, Faults()
    job.folder.keep_apart("DATA", data.path, data.train, data.validation, data.test)
    auto = bakeoff.settings_of(config, faults)
    dataset, (objective, backbone, modality) = _components(
        config, given, faults, auto=auto is not None
    )
    fitted = assemble.fitted_modality(dataset, modality)
    found = None
    if auto is not None:
        found, config = _chosen(
            auto, config, job, dataset=dataset, fitted=fitted, backbone=backbone
        )
        named = {"name": found.chosen}
        objective = assemble.component(objectives.table, named, "", "objective", faults)
    return _Parts(config, dataset, objective, backbone, modality, fitted, found)


def _components(
    config: PretrainConfig, given: Dataset | None, faults: Faults, *, auto: bool
) -> tuple[Dataset, tuple[Component, Component, Component]]:
    """The data, and the objective, backbone and modality that the settings name or these suggest.

    faults: what was found already. auto: whether the objective is to be found by trying.

    Raises:
        UserError: settings or data are wrong; all faults of the settings are named at once.
    """
    early, asked = Faults(), {} if auto else config.objective
    if "name" in asked:
        assemble.component(objectives.table, asked, "", "objective", early)
    dataset = given
    if dataset is None and not (
        early.lines or faults.lines
    ):  # a misspelt name need not wait for the data
        dataset = assemble.open_data(config.data, config.modality, labels=config.probe)
    modality = assemble.modality_for(config.modality, dataset, faults)
    default = modality.cls.default_objective if modality.cls else "autoencoder"
    objective = assemble.component(objectives.table, asked, default, "objective", faults)
    default = assemble.usual_backbone(modality, objective)
    backbone = assemble.component(backbones.table, config.backbone, default, "backbone", faults)
    modality = assemble.suited(modality, backbone, config.modality, faults)
    faults.raise_if_any()
    assert dataset is not None
    return dataset, (objective, backbone, modality)


def _splits(dataset: Dataset, seed: int) -> dict[str, Samples]:
    """What to learn from, and what to judge by: the validation split, or a part set apart."""
    train = dataset.train
    splits = {"train": train}
    if "validation" in dataset.splits:
        splits["validation"] = dataset.splits["validation"]
    elif len(train) >= 200:
        kept, apart = parted(train, min(HELD_OUT, 2_000 / len(train)), seed)
        splits = {"train": kept, "validation": apart}
    return splits


def _batch_size(learner: Learner, samples: int, config: PretrainConfig) -> int:
    size = assemble.batch_size_for(samples, config.training.batch_size, learner.usual_batch)
    if (learner.views > 1 or learner.compares) and size < 2:
        raise UserError(
            "this objective compares the samples of a batch: it needs at least 2.",
            "Use a larger --batch-size.",
        )
    return size


def _chosen(
    auto: AutoConfig,
    config: PretrainConfig,
    job: Job,
    *,
    dataset: Dataset,
    fitted: Modality,
    backbone: Component,
) -> tuple[BakeOff, PretrainConfig]:
    """The objective of `--objective auto`, and the settings with what is left of the time."""
    modality = by_window(fitted)
    auto = replace(auto, candidates=auto.candidates or candidates.ALL[dataset.kind])
    train = windows_of(fitted, {"train": _splits(dataset, config.seed)["train"]})
    samples = len(train["train"])
    size = assemble.batch_size_for(samples, config.training.batch_size, bakeoff.USUAL_BATCH)
    whole = assemble.duration_for(config.training.duration, samples, size, EPOCHS, FEWEST_STEPS)
    trying, rest = bakeoff.lengths(auto, whole, samples, size)
    config = replace(config, training=replace(config.training, duration=rest))
    found = bakeoff.earlier(job.folder) if job.resume else None
    if found is not None:
        job.say(f"{found.chosen} was chosen before")
        return found, config
    with Supply(
        train, modality, config.data, seed=config.seed, batch_size=size, say=job.say
    ) as supply:
        loader = supply.loaders["train"]
        if config.probe:
            labelled = looked_at(dataset.train, modality, config.seed)
            judge = judges.by_labels(modality, labelled, config.seed)
        else:
            judge = judges.label_free(dataset.kind, modality, loader)

        def fresh() -> Backbone:
            return assemble.build_backbone(backbone, modality.spec, config.seed)

        setup = bakeoff.TrialSetup(config, fresh, modality, loader, judge)
        return bake_off(auto, setup, trying, job.say), config


def _learner(parts: _Parts, modality: Modality, say: Say) -> Learner:
    """The objective on a network of its own.

    Raises:
        UserError: the samples or the network do not suit it.
    """
    objective, backbone = parts.objective, parts.backbone
    assemble.check_reads(objective, modality.spec)
    if not issubclass(backbone.cls, objective.cls.needs):
        fit = [
            name
            for name in assemble.fitting_backbones(objective.cls.needs)
            if assemble.suits(backbones.table.load(name), modality.spec)
        ]
        raise UserError(
            f"objective '{objective.name}' does not work with backbone '{backbone.name}'.",
            f"Use --backbone {' or '.join(fit)}.",
        )
    encoder = assemble.build_backbone(backbone, modality.spec, parts.config.seed, say)
    learner: Learner = objective.cls(objective.config, encoder, modality.spec)
    return learner


def _engine(
    config: PretrainConfig,
    job: Job,
    learner: Learner,
    supply: Supply,
    modality: Modality,
    *,
    batch_size: int,
) -> Engine:
    training, data = config.training, supply.loaders["train"]
    engine = job.engine(
        learner,
        assemble.training_for(learner, training),
        data,
        modality,
        duration=assemble.duration_for(
            training.duration, len(data), batch_size, EPOCHS, FEWEST_STEPS
        ),
        batch_size=batch_size,
        seed=config.seed,
        scored=2 * PROBE,
    )
    if "validation" in supply.loaders:
        engine.validation = _validation(engine, supply.loaders["validation"])
    return engine


def _validation(engine: Engine, held: Loader) -> Validation:
    # Equal parts: losses over comparisons depend on how many samples are compared.
    size = math.ceil(len(held) / math.ceil(len(held) / 512))

    def run() -> dict[str, float]:
        # Samples are judged as they are, unless the objective compares views of them.
        made = engine.batch if engine.learner.views > 1 else engine.plain
        return mean_scores(engine.learner, (made(x, y) for x, y in held.in_order(size)))[0]

    return Validation(run, "loss", "last" if engine.learner.chases else "min")
