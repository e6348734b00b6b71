"""The pieces of work of a comparison, and what each of them waits for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from headstart import backbones, baselines, objectives, tasks
from headstart.data.dataset import Dataset
from headstart.errors import UserError, unknown
from headstart.modalities.base import Modality
from headstart.runs.folder import RunFolder
from headstart.settings import Faults
from headstart.study.config import ALL, CompareConfig
from headstart.study.figures import OF_DATA
from headstart.workflows import assemble
from headstart.workflows.assemble import Component
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.request import config_of
from headstart.workflows.sets import budget_of

Way = Literal["fine-tuned", "linear probe", "neighbours", "scratch", "baseline"]


@dataclass(frozen=True)
class Source:
    """A pre-training: one that is part of the comparison, or a finished run.

    folder: the run's; given: whether it was there before.
    backbone, modality: settings of its network and its data, for the twin from scratch.
    """

    name: str
    folder: Path
    given: bool
    backbone: dict[str, Any]
    modality: dict[str, Any]

    @property
    def file(self) -> str:
        """What its files are called: by what it is, whatever it is called beside others."""
        if not self.given:
            return _slug(self.name)
        return f"{_slug(self.folder.resolve().name)}-{_digest(str(self.folder))}"


@dataclass(frozen=True)
class Method:
    """A row of the comparison. source: of a pre-trained one; twin: its rival from scratch."""

    name: str
    way: Way
    source: Source | None = None
    twin: str | None = None
    backbone: str = ""  # of a network from scratch, as JSON
    modality: str = ""

    @property
    def file(self) -> str:
        """What its files are called, as `Source.file`: comparisons are extended in any order."""
        if self.way == "scratch":
            return f"from-scratch-{_digest(self.backbone + self.modality)}"
        if self.source is None:
            return _slug(self.name)
        probe = "" if self.way == "fine-tuned" else f"-{_slug(self.way)}"
        return self.source.file + probe


@dataclass(frozen=True)
class Item:
    """A piece of work. needs: names of those that must be done before."""

    name: str
    kind: Literal["pretrain", "features", "cell"]
    needs: tuple[str, ...] = ()
    source: Source | None = None
    method: Method | None = None
    labels: int | str = 0
    seed: int = 0


@dataclass(frozen=True)
class Plan:
    """Everything that is to be done, and on what."""

    config: CompareConfig
    folder: Path
    dataset: Dataset
    task: Component
    sources: list[Source]
    methods: list[Method]
    items: list[Item]

    def draw(self, labels: int | str, seed: int) -> NDArray[np.intp]:
        """Positions within train of one draw of labels, validation included.

        The very draw that `finetune` makes by the same numbers.
        """
        own = {"labels": None if labels == ALL else labels, "seed": seed}
        config = config_of(FinetuneConfig, {**self.config.finetune, **own})
        chosen = budget_of(
            config,
            self.dataset.train,
            classes=self.task.cls.classes_apart,
            share=config.validation_share,
        )
        return np.sort(np.concatenate([chosen.train, chosen.validation]))

    def drawn(self) -> NDArray[np.intp]:
        """Positions within train that any draw holds, ascending."""
        config = self.config
        draws = [self.draw(n, seed) for n in config.labels for seed in range(config.seeds)]
        return np.unique(np.concatenate(draws))


def make(config: CompareConfig, folder: Path, modality: Component, dataset: Dataset) -> Plan:
    """The work that `config` asks for.

    Raises:
        UserError: something of it cannot be done; it is said before anything is begun.
    """
    faults = Faults()
    usual = assemble.task_for(dataset).name
    task = assemble.component(tasks.table, config.task, usual, "task", faults)
    faults.raise_if_any()
    if "test" not in dataset.splits or not dataset.splits["test"].has_label.any():
        raise UserError(f"the test split of {dataset.source} has no labels to compare by.")
    sources = [_own(name, config, folder, modality) for name in config.objectives]
    for path in config.start:
        taken = {s.name for s in sources} | set(baselines.table)
        sources.append(_given(Path(path), taken, dataset))
    methods = _methods(config, sources, modality, dataset.kind, framewise=_framewise(task))
    plan = Plan(config, folder, dataset, task, sources, methods, [])
    plan.drawn()  # what cannot be drawn is refused now rather than in an hour
    if ALL in config.labels and (count := len(plan.draw(ALL, 0))) in config.labels:
        raise UserError(f"--labels all are {count}, which are named too: leave one out.")
    if config.metric != "auto" and config.metric not in (known := figures_of(plan)):
        raise unknown("figure", config.metric, known)
    plan.items.extend(_items(plan))
    return plan


def figures_of(plan: Plan) -> list[str]:
    """What can be compared by: the names of the figures that answers to the test split are given.

    They hang on the task's settings, on the classes among the labels and on what test asks for:
    so answers that say nothing are judged, before anything is trained.

    Raises:
        UserError: a target of test is none that the labels have.
    """
    few, test = plan.dataset.train.take(plan.drawn()), plan.dataset.splits["test"]
    assert few.targets is not None
    assert test.targets is not None
    asked = np.flatnonzero(test.has_label)
    task = plan.task.cls(plan.task.config, 1, plan.task.cls.fit(plan.task.config, few.targets))
    targets = task.encode(test.targets[asked], "test")
    frames = (targets.shape[1],) if task.framewise else ()
    found = task.figures(torch.zeros(len(asked), *frames, task.answered), targets)
    numbers = {name for name, value in found.items() if isinstance(value, int | float)}
    return sorted(numbers - OF_DATA | {"loss"})


def check_objectives(modality: Component, fitted: Modality, names: tuple[str, ...]) -> None:
    """Raises:
    UserError: an objective does not learn from such samples, or there is none of that name.
    """
    for name in names:
        faults = Faults()
        chosen = assemble.component(objectives.table, {"name": name}, "", "objective", faults)
        faults.raise_if_any()
        assemble.check_reads(chosen, fitted.spec)
    assert modality.cls is not None


def _framewise(task: Component) -> bool:
    return bool(getattr(task.cls, "framewise", False))


def _own(name: str, config: CompareConfig, folder: Path, modality: Component) -> Source:
    faults = Faults()
    objective = assemble.component(objectives.table, {"name": name}, "", "objective", faults)
    default = assemble.usual_backbone(modality, objective)
    network = assemble.component(backbones.table, config.backbone, default, "backbone", faults)
    modality = assemble.suited(modality, network, config.pretrain.get("modality", {}), faults)
    faults.raise_if_any()
    return Source(name, folder / "pretrained" / name, False, network.plain(), modality.plain())


def _given(path: Path, taken: Collection[str], dataset: Dataset) -> Source:
    run = RunFolder.open(path)
    raw = run.read_config()
    if raw.get("command") != "pretrain":
        raise UserError(f"--from {path} is no pre-training run.")
    kind = run.read_preprocessing().get("modality")
    if kind != dataset.kind:
        raise UserError(
            f"--from {path} was pre-trained on data of kind '{kind}'; {dataset.source} is of kind"
            f" '{dataset.kind}'."
        )
    parts = path.resolve().parts
    name = parts[-1]
    for i in range(2, len(parts) + 1):  # runs/a/encoder beside runs/b/encoder
        if name in taken:
            name = "-".join(parts[-i:]).replace("/", "")
    return Source(name, path, True, raw["backbone"], raw["modality"])


def _methods(
    config: CompareConfig,
    sources: list[Source],
    modality: Component,
    kind: str,
    *,
    framewise: bool,
) -> list[Method]:
    twins: dict[str, Method] = {}
    found: list[Method] = []
    for source in sources:
        backbone = json.dumps(source.backbone, sort_keys=True)
        key = backbone + json.dumps(source.modality, sort_keys=True)
        name = "from scratch" if not twins else f"from scratch ({source.backbone['name']})"
        if any(twin.name == name for k, twin in twins.items() if k != key):
            name = f"from scratch, as {source.name}"
        twin = twins.setdefault(
            key, Method(name, "scratch", backbone=backbone, modality=json.dumps(source.modality))
        )
        found.append(Method(source.name, "fine-tuned", source, twin.name))
        if not framewise:
            found.append(Method(f"{source.name}, linear probe", "linear probe", source, twin.name))
            found.append(Method(f"{source.name}, neighbours", "neighbours", source, twin.name))
    if not sources:
        raw = config.backbone or {"name": modality.cls.default_backbone}
        plain = json.dumps(modality.plain())
        twins[""] = Method("from scratch", "scratch", backbone=json.dumps(raw), modality=plain)
    suited = baselines.fitting(kind)
    names = suited if config.baselines is None else list(config.baselines)
    for name in names:
        if kind not in baselines.table.load(name).kinds:
            raise UserError(
                f"the baseline '{name}' does not read data of kind '{kind}'.",
                f"These do: {', '.join(suited)}.",
            )
    first = next(iter(twins.values())).name
    rivals = [Method(name, "baseline", twin=first) for name in names if not framewise]
    return [*found, *twins.values(), *rivals]


def _items(plan: Plan) -> list[Item]:
    found = [Item(f"pretrain-{s.name}", "pretrain", source=s) for s in plan.sources if not s.given]
    there = {s.name for s in plan.sources if s.given}

    def after(source: Source) -> tuple[str, ...]:
        return () if source.name in there else (f"pretrain-{source.name}",)

    if any(m.way == "linear probe" for m in plan.methods):
        found += [Item(f"features-{s.file}", "features", after(s), s) for s in plan.sources]
    for labels in plan.config.labels:
        for seed in range(plan.config.seeds):
            for method in plan.methods:
                needs: tuple[str, ...] = ()
                if method.source is not None:
                    probed = method.way != "fine-tuned"
                    needs = (f"features-{method.source.file}",) if probed else after(method.source)
                name = f"{method.file}-{labels}-{seed}"
                found.append(Item(name, "cell", needs, None, method, labels, seed))
    return found


def _slug(name: str) -> str:
    return re.sub(r"[^\w]+", "-", name).strip("-")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def modality_of(config: CompareConfig, dataset: Dataset) -> Component:
    """The modality that reads the data, with the settings of `config`."""
    faults = Faults()
    raw = config.pretrain.get("modality", {})
    found = assemble.modality_for(raw, dataset, faults)
    faults.raise_if_any()
    return found
