"""What a fine-tuning trains: the network on its labels, or what also learns from samples without.

Each way to use samples outside the label budget is a Learner that wraps the network in training;
`Student` says which network answers afterwards, and how the two kinds of samples share a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from headstart.data.dataset import Samples
from headstart.data.loader import Loader, Shuffled
from headstart.data.mixed import Mixed
from headstart.parts.learner import Learner
from headstart.settings import Duration, Faults, Settings, as_plain, resolve
from headstart.tasks.distillation import Distillation, DistillationConfig, taught
from headstart.tasks.self_training import (
    UNLABELLED,
    SelfTraining,
    SelfTrainingConfig,
    class_shares,
)
from headstart.tasks.supervised import Supervised
from headstart.tasks.virtual_adversarial import VirtualAdversarial, VirtualAdversarialConfig
from headstart.types import Spec
from headstart.workflows.assemble import Component, Say, batch_size_for, duration_for
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.sets import REST
from headstart.workflows.teaching import answers_of

EPOCHS, FEWEST_STEPS = 8, 600
EPOCHS_WITH_REST, FEWEST_STEPS_WITH_REST = 10, 1_500
GROUPS: dict[str, type[Settings]] = {
    "self_training": SelfTrainingConfig,
    "vat": VirtualAdversarialConfig,
    "distillation": DistillationConfig,
}


@dataclass
class Ways:
    """The settings of the way that was asked for; all None: labels alone."""

    self_training: SelfTrainingConfig | None = None
    vat: VirtualAdversarialConfig | None = None
    distillation: DistillationConfig | None = None

    def plain(self) -> dict[str, dict[str, Any]]:
        """As they stand in config.yaml."""
        return {name: as_plain(getattr(self, name)) or {} for name in GROUPS}


def ways(config: FinetuneConfig, task: Component, faults: Faults) -> Ways:
    """What the settings ask for; what is wrong with them goes to `faults`."""
    settings = {
        name: resolve(cls, getattr(config, name), faults, name) for name, cls in GROUPS.items()
    }
    chosen = {"self-train": "self_training", "vat": "vat"}.get(config.unlabelled)
    if chosen and config.teacher:
        faults.add(
            f"--teacher and --unlabelled {config.unlabelled} both say what samples without labels"
            " are for: give one of them."
        )
    if (chosen or config.teacher) and task.cls is not None and task.cls.framewise:
        faults.add(
            f"{'--teacher' if config.teacher else '--unlabelled'} compares answers for whole"
            f" samples, and --task {task.name} answers for their parts: leave it out."
        )
    elif chosen == "self_training" and task.cls is not None and not task.cls.classes_apart:
        faults.add("--unlabelled self-train needs classes to answer: use --task classification.")
    chosen = "distillation" if config.teacher else chosen
    return Ways(**{name: value for name, value in settings.items() if name == chosen})  # type: ignore[arg-type]


@dataclass
class Student:
    """What is trained.

    learner: what the engine trains; network: what answers afterwards, the learner itself, a part
    of it or its teacher. share: part of a batch that is labelled, where others are in it too.
    targets: encoded, by split, of those that have any.
    """

    learner: Learner
    network: Supervised
    share: float | None = None
    targets: dict[str, Tensor] = field(default_factory=dict)

    def batch_size(self, asked: int | None, labelled: int, others: int) -> int:
        """Samples a step; labelled, others: how many there are with a label, and without."""
        samples = labelled + (others if self.share is not None else 0)
        return batch_size_for(samples, asked, self.learner.usual_batch)

    def label(self, loaders: Mapping[str, Loader]) -> None:
        """Give each loader its targets."""
        for name, targets in self.targets.items():
            loaders[name].y = targets

    def data(self, loaders: Mapping[str, Loader]) -> Shuffled:
        """What the engine draws from."""
        few = loaders["train"]
        if self.share is None or REST not in loaders:
            return few
        return Mixed(few, loaders[REST], self.share)

    def labels(self, y: Tensor) -> Tensor:
        """The encoded labels among what a loader of `targets` gives."""
        return self.learner.labels(y) if isinstance(self.learner, Distillation) else y

    def duration(self, asked: Duration | None, samples: int, batch_size: int) -> Duration:
        """How long it is trained."""
        alone = self.learner is self.network
        epochs = EPOCHS if alone else EPOCHS_WITH_REST
        fewest = FEWEST_STEPS if alone else FEWEST_STEPS_WITH_REST
        return duration_for(asked, samples, batch_size, epochs, fewest)


def student_for(
    config: FinetuneConfig,
    asked: Ways,
    network: Supervised,
    *,
    spec: Spec,
    splits: Mapping[str, Samples],
    say: Say,
) -> Student:
    """The network, wrapped in the way that was asked for.

    Raises:
        UserError: a split has a target that train has not, or the way does not suit the samples.
    """
    task = network.task
    targets = {
        name: task.encode(samples.targets, name)
        for name, samples in splits.items()
        if name != REST and samples.targets is not None
    }
    without = len(splits.get(REST, ()))
    if asked.self_training is not None:
        trained = SelfTraining(
            asked.self_training, network, class_shares(targets["train"]), without
        )
        targets[REST] = UNLABELLED - torch.arange(without)
        return Student(trained, trained.teacher, asked.self_training.share, targets)
    if asked.vat is not None:
        none = UNLABELLED if task.classes_apart else torch.nan
        targets[REST] = torch.full_like(targets["train"][:1], none).expand(
            without, *targets["train"].shape[1:]
        )
        learner = VirtualAdversarial(asked.vat, network, spec)
        return Student(learner, network, asked.vat.share, targets)
    if asked.distillation is not None:
        known = {name: samples for name, samples in splits.items() if name in ("train", REST)}
        said = answers_of(
            config.teacher, known, task, config.data, copies=asked.distillation.copies, say=say
        )
        wide = targets["train"][0].numel()
        targets |= {name: taught(targets.get(name), said[name], wide) for name in known}
        distilled = Distillation(asked.distillation, network, wide)
        return Student(distilled, network, asked.distillation.share, targets)
    return Student(network, network, None, targets)
