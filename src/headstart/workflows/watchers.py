"""Who looks on while a run trains, as its settings ask for."""

from __future__ import annotations

import numpy as np

from headstart.data.dataset import Samples
from headstart.errors import UserError
from headstart.modalities.base import Modality
from headstart.training import probes
from headstart.training.config import TrainingConfig
from headstart.training.health import Health
from headstart.training.loggers.base import make
from headstart.training.profiling import Profile
from headstart.training.watching import Watcher
from headstart.workflows.assemble import Say


def all_watchers(config: TrainingConfig, health: Health, *more: Watcher) -> list[Watcher]:
    """Health first, so that what it finds reaches the logs.

    Raises:
        UserError: a logger has no such name, or is not installed.
    """
    profile = [Profile()] if config.profile else []
    return [health, *more, *make(config.log), *profile]


def probe_for(train: Samples, modality: Modality, seed: int, say: Say) -> probes.Probe:
    """A probe by at most a thousand labels of `train`.

    Raises:
        UserError: there are too few labels.
    """
    labelled = looked_at(train, modality, seed)
    say(f"--probe: {len(labelled.x):,} labels of train are looked at, and never learned from")
    return probes.Probe(labelled)


def looked_at(train: Samples, modality: Modality, seed: int) -> probes.Labelled:
    """At most a thousand labelled samples of `train`.

    Raises:
        UserError: there are too few labels.
    """
    rows = probes.draw(np.flatnonzero(train.has_label), seed)
    if len(rows) < probes.FEWEST:
        raise UserError(
            f"--probe needs {probes.FEWEST} labels in train, and there are {len(rows)}.",
            "Leave --probe out: pre-training needs no labels.",
        )
    x, bad = modality.tensor(train.take(rows), on_bad="skip")
    good = np.setdiff1d(np.arange(len(rows)), bad)
    assert train.targets is not None  # has_label said so
    rows = rows[good]
    groups = None if train.groups is None else train.groups[rows]
    apart = groups is not None and len(np.unique(groups)) > 1
    return probes.Labelled(x[good], train.targets[rows], groups if apart else None)
