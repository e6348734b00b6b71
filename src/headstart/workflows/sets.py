"""What a fine-tuning learns from, validates with and is tested on, cut from a label budget."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from headstart.data import budget
from headstart.data.dataset import Dataset, Samples
from headstart.errors import UserError
from headstart.modalities.base import Modality
from headstart.workflows import assemble
from headstart.workflows.config import FinetuneConfig


@dataclass
class Labelled:
    """Labelled samples as tensors; `y` is empty until a task has encoded them."""

    x: Tensor
    y: Tensor
    samples: Samples

    def __len__(self) -> int:
        return len(self.x)


@dataclass
class Sets:
    """Disjoint parts of a data set.

    rest: samples of train outside the budget, `[N, ...]`, whose labels, if they have any, are
        not looked at; empty unless they are learned from.
    skipped: by split, the names of samples that could not be read.
    """

    learn: Labelled
    validate: Labelled
    test: Labelled
    rest: Tensor
    skipped: dict[str, list[str]]


def cut_sets(
    config: FinetuneConfig, dataset: Dataset, modality: Modality, *, classes: bool
) -> Sets:
    """The parts that the budget of `config` gives.

    classes: whether targets are classes, drawn in equal numbers.

    Raises:
        UserError: there are fewer labels than asked for, or nothing is left without one.
    """
    own = dataset.splits.get("validation")
    unlimited = config.labels is None and config.labels_per_class is None
    use_own = unlimited and own is not None and bool(own.has_label.any())
    train = dataset.train
    chosen = budget.choose(
        train,
        classes=classes,
        labels=config.labels,
        per_class=config.labels_per_class,
        seed=config.seed,
        share=0.0 if use_own else None,
    )
    nobody = train.take(np.arange(0))
    wanted = {
        "train": train.take(chosen.train),
        "validation": own if use_own and own else train.take(chosen.validation),
        "test": dataset.splits.get("test", nobody),
    }
    wanted = {n: s.take(np.flatnonzero(s.has_label)) for n, s in wanted.items() if len(s)}
    if config.unlabelled != "ignore":
        used = np.concatenate([chosen.train, chosen.validation])
        wanted["unlabelled"] = train.take(np.setdiff1d(np.arange(len(train)), used))
        if len(wanted["unlabelled"]) == 0:
            raise UserError(
                "every sample of train is labelled: there is nothing to train itself on.",
                "Leave --unlabelled out, or use fewer labels (--labels-per-class).",
            )
    some = {name: samples for name, samples in wanted.items() if len(samples)}
    made = assemble.material(dataset.with_splits(some), modality, config.data.on_bad, tuple(some))
    nothing = torch.empty(0)
    learn, validate, test = (
        Labelled(made.x.get(name, nothing), nothing, made.samples.get(name, nobody))
        for name in ("train", "validation", "test")
    )
    return Sets(learn, validate, test, made.x.get("unlabelled", nothing), made.skipped)
