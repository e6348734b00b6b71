"""From settings to the objects a run needs, each built by the class that a table names."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from headstart import __version__, backbones, modalities, objectives
from headstart.backbones.base import Backbone
from headstart.data.corpus import open_corpus
from headstart.data.dataset import Dataset
from headstart.data.sources import open_dataset
from headstart.data.splits import ensure_test
from headstart.errors import UserError
from headstart.modalities.base import Modality
from headstart.parts.learner import Learner
from headstart.runs.atomic import write_text
from headstart.runs.folder import RunFolder
from headstart.settings import Duration, Faults, as_plain, resolve
from headstart.settings.files import to_yaml
from headstart.tables import Table
from headstart.training.config import TrainingConfig
from headstart.training.engine import Engine
from headstart.training.resuming import check_length
from headstart.types import Spec
from headstart.workflows.config import DataConfig

Say = Callable[[str], None]
# What texts may take in memory where nothing was said; not what is free just now, for a run that is
# resumed must read them in the same way.
MOST_HELD = 6 * 10**9
MINUTE_BATCHES = ((2_000, 32), (20_000, 64), (10**9, 128))


@dataclass
class Component:
    """A class from a table, and its settings."""

    name: str
    cls: Any
    config: Any

    def plain(self) -> dict[str, Any]:
        """As it stands in config.yaml."""
        return {"name": self.name, **as_plain(self.config)}


def component(
    table: Table, raw: dict[str, Any], default: str, where: str, faults: Faults
) -> Component:
    """The class that `raw["name"]` names, with the rest of `raw` as its settings."""
    name = raw.get("name", default)
    rest = {key: value for key, value in raw.items() if key != "name"}
    try:
        cls, rest = table.member(name, rest)
    except UserError as error:
        faults.add(f"{where}: {' '.join([error.message, *error.hints])}")
        return Component(name, None, None)
    return Component(name, cls, resolve(cls.Config, rest, faults, where))


def suited(
    modality: Component, backbone: Component, raw: dict[str, Any], faults: Faults
) -> Component:
    """The modality as a backbone that was made elsewhere wants it, where `raw` does not differ."""
    asks = getattr(backbone.cls, "asks", None)
    if asks is None or backbone.config is None or backbone.cls.modality != modality.name:
        return modality
    try:
        wanted = asks(backbone.config)
    except UserError as error:
        faults.add(f"backbone: {' '.join([error.message, *error.hints])}")
        return modality
    return component(modalities.table, {**wanted, **raw}, modality.name, "modality", faults)


def modality_for(raw: dict[str, Any], dataset: Dataset | None, faults: Faults) -> Component:
    """The modality that the settings name or the data are of, with what is in `raw`.

    Of a table that is the class which suits the samples: named columns, or plain numbers.
    dataset: None where it was not read, because of faults that are to be named with these.
    """
    default = dataset.kind if dataset else "image"
    chosen = component(modalities.table, raw, default, "modality", faults)
    choice = getattr(chosen.cls, "suited", None)
    if choice is not None and dataset is not None:
        chosen.cls = choice(dataset.train)
    return chosen


def backbone_for(raw: dict[str, Any], modality: Component, faults: Faults) -> Component:
    """The backbone that the settings name, or else the modality's own, with what is in `raw`."""
    default = modality.cls.default_backbone if modality.cls else "mlp"
    return component(backbones.table, raw, default, "backbone", faults)


def open_data(
    config: DataConfig, modality: Mapping[str, Any] | None = None, *, labels: bool = True
) -> Dataset:
    """Read the source and make the splits it lacks.

    modality: its settings, whose name says what the samples are where `config` does not.
    labels: whether they are wanted; texts without may be streamed.

    Pre-training and every draw of labels must agree on what is test, so this hangs on a seed of
    its own.
    """
    if config.kind is None and (modality or {}).get("name") == "series":
        config = replace(config, kind="series")
    found = None if labels or config.kind not in (None, "text") else _streamed(config)
    return ensure_test(found or open_source(config), config.split_seed)


def _streamed(config: DataConfig) -> Dataset | None:
    """Texts that are too many to be held, for those who want no labels; None for all other data."""
    limit = config.max_memory.amount if config.max_memory else MOST_HELD
    named = {"train": config.train, "validation": config.validation, "test": config.test}
    if not config.path or config.train is not None or config.file_column is not None:
        return None
    return open_corpus(config.path, config.text_column, named, limit)


def open_source(config: DataConfig, *, to_learn: bool = True) -> Dataset:
    """Read the source with the splits it has; `to_learn`: train must be among them.

    Raises:
        UserError: none was named, or it cannot be read.
    """
    if not config.path:
        raise UserError("no data were named.", "Give a folder, a file or a name such as digits.")
    dataset = open_dataset(
        config.path,
        target=config.target,
        train=config.train,
        validation=config.validation,
        test=config.test,
        file_column=config.file_column,
        text_column=config.text_column,
        series_column=config.series_column,
        time_column=config.time_column,
        kind=config.kind,
        layout=config.layout,
        group=config.group,
        to_learn=to_learn,
    )
    if config.kind not in (None, dataset.kind):
        raise UserError(
            f"{config.path} was read as {dataset.kind}, not as {config.kind}: see --kind."
        )
    return dataset


class TaskFor(NamedTuple):
    """What targets ask for where nobody says it. why: a sentence for the user."""

    name: str
    why: str


def task_for(dataset: Dataset) -> TaskFor:
    """The task that the data name, or else the one that suits their targets.

    Fractions are amounts; whole numbers may be either, and are taken for classes.
    """
    if dataset.task is not None:
        return TaskFor(dataset.task, f"task {dataset.task}: that is what the data are made for")
    train = dataset.train
    targets = train.targets
    if targets is None or targets.dtype.kind not in "iuf" or targets.ndim != 1:
        return TaskFor("classification", "task classification: targets are names (see --task)")
    there = targets[train.has_label]
    if there.dtype.kind == "f" and len(parts := there[there != np.round(there)]):
        why = f"task regression: targets such as {parts[0]:g} are fractions (see --task)"
        return TaskFor("regression", why)
    why = "task classification: targets are whole numbers; if they are amounts, --task regression"
    return TaskFor("classification", why)


def fitted_modality(dataset: Dataset, chosen: Component) -> Modality:
    """The modality fitted on train, refused where it does not suit the data."""
    if chosen.name != dataset.kind:
        raise UserError(
            f"{dataset.source} holds data of kind '{dataset.kind}', not '{chosen.name}'."
        )
    modality: Modality = chosen.cls.fit(dataset.train, chosen.config)
    return modality


def build_backbone(chosen: Component, spec: Spec, seed: int, say: Say = lambda _: None) -> Backbone:
    """The backbone with seeded weights, or with those that it comes with."""
    encoder = _built(chosen, spec, seed)
    if (taken := encoder.begin_with()) is not None:
        say(taken)
    return encoder


def _built(chosen: Component, spec: Spec, seed: int) -> Backbone:
    if spec.kind not in chosen.cls.reads:
        fit = [name for name in backbones.table if suits(backbones.table.load(name), spec)]
        raise UserError(
            f"backbone '{chosen.name}' does not read samples of kind '{spec.kind}'.",
            f"Use --backbone {' or '.join(fit)}.",
        )
    torch.default_generator.manual_seed(seed)
    encoder: Backbone = chosen.cls(chosen.config, spec)
    return encoder


def suits(backbone: type[Backbone], spec: Spec) -> bool:
    """Whether a backbone reads such samples."""
    return spec.kind in backbone.reads and backbone.dimensions in (None, len(spec.shape))


def load_modality(state: dict[str, Any]) -> Modality:
    """A modality from `preprocessing.json`."""
    try:
        modality: Modality = modalities.table.load(state["modality"]).from_state(state)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"preprocessing.json is malformed: {error!r}.") from error
    return modality


def load_backbone(raw: dict[str, Any], spec: Spec) -> Backbone:
    """A backbone as a run's config.yaml describes it."""
    faults = Faults()
    chosen = component(backbones.table, raw, "", "backbone", faults)
    faults.raise_if_any()
    return _built(chosen, spec, 0)


def begin(
    folder: RunFolder,
    plain: dict[str, Any],
    preprocessing: dict[str, Any],
    engine: Engine,
    *,
    resume: bool,
) -> None:
    """Write what a run is about before it starts; on resume, refuse settings that differ.

    engine: what is to train it; a run that is resumed may be made longer, not shorter.

    What can be wrong with settings and data has been found by now: from here on a run that is to
    be overwritten is lost.
    """
    if resume and folder.config.exists():
        _refuse_changes(folder, plain)
        if folder.preprocessing.exists():  # a kill may have come before it was written
            _refuse_other_memory(folder, preprocessing)
        check_length(engine, folder.read_config().get("training", {}).get("duration"))
    folder.begin()
    write_text(folder.config, to_yaml(plain))
    folder.write_preprocessing(preprocessing)
    if not resume:
        folder.progress.unlink(missing_ok=True)


def _refuse_other_memory(folder: RunFolder, preprocessing: dict[str, Any]) -> None:
    """Texts that were streamed are drawn in another order than texts that are held."""
    before, now = (bool(p.get("streamed")) for p in (folder.read_preprocessing(), preprocessing))
    if before != now:
        named = {False: "held in memory", True: "streamed"}
        raise UserError(
            f"--resume continues {folder.path}, whose texts were {named[before]}; with this"
            f" --max-memory they would be {named[now]}, in another order.",
            "Give the --max-memory that the run began with.",
        )


def _refuse_changes(folder: RunFolder, plain: dict[str, Any]) -> None:
    free = {
        "training.duration",
        "training.device",
        "training.threads",
        "training.shard",
        "training.checkpoint_every",
        "data.max_memory",
        "data.workers",
    }
    before, now = dict(_leaves(folder.read_config())), dict(_leaves(plain))
    changed = [k for k in {**before, **now} if before.get(k) != now.get(k) and k not in free]
    if changed:
        lines = [f"- {k}: {before.get(k)!r} then, {now.get(k)!r} now" for k in changed]
        raise UserError(
            f"--resume continues {folder.path} with the settings it began with; these differ:",
            *lines,
            "Repeat the first command, or choose another --out.",
        )


def _leaves(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            found += _leaves(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found


def fitting_backbones(needs: type[Backbone]) -> list[str]:
    """Names of the backbones that are what an objective needs."""
    return [name for name in backbones.table if issubclass(backbones.table.load(name), needs)]


def usual_backbone(modality: Component, objective: Component) -> str:
    """The modality's own, or where an objective needs another kind the first of those that suit."""
    usual: str = modality.cls.default_backbone if modality.cls else "mlp"
    fit = fitting_backbones(objective.cls.needs) if objective.cls else [usual]
    others = (usual, *getattr(modality.cls, "other_backbones", ()))
    return next((name for name in others if name in fit), fit[0])


def check_reads(objective: Component, spec: Spec) -> None:
    """Raises:
    UserError: the objective does not learn from samples of that kind.
    """
    if spec.kind not in objective.cls.reads:
        fit = [name for name in objectives.table if spec.kind in objectives.table.load(name).reads]
        raise UserError(
            f"objective '{objective.name}' does not learn from samples of kind '{spec.kind}'.",
            f"Use --objective {' or '.join(fit)}.",
        )


def training_for(learner: Learner, training: TrainingConfig) -> TrainingConfig:
    """The learner's usual rate, where neither a rate nor an optimiser was asked for."""
    if training.lr is None and training.optimizer == TrainingConfig.optimizer:
        return replace(training, lr=learner.usual_lr)
    return training


def batch_size_for(samples: int, asked: int | None, usual: int | None = None) -> int:
    """The batch size asked for, or one that suits the number of samples; never above it.

    usual: what the learner would have, whatever the number of samples.
    """
    size = asked or usual or next(size for limit, size in MINUTE_BATCHES if samples <= limit)
    return max(1, min(size, samples))


def duration_for(
    asked: Duration | None, samples: int, batch_size: int, epochs: float, fewest_steps: int
) -> Duration:
    """The duration asked for, or `epochs`, and at least so many steps."""
    if asked is not None:
        return asked
    steps = max(fewest_steps, round(epochs * samples / batch_size))
    return Duration(steps, "steps")


def versions() -> dict[str, str]:
    """What a result was made with."""
    return {
        "headstart": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": sys.platform,
    }
