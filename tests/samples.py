"""What several test files share: real digits, and small networks on them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits

from headstart import backbones, objectives, tasks
from headstart.data.dataset import Samples
from headstart.data.loader import Resident
from headstart.modalities.image import Image, ImageConfig
from headstart.settings import Duration, Faults, resolve
from headstart.tasks.supervised import FineTuneConfig, Supervised
from headstart.training.config import TrainingConfig
from headstart.training.engine import Engine
from headstart.types import Batch


@cache
def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """512 real digits `uint8 [512, 1, 8, 8]` and what they show."""
    bunch = load_digits()
    x = (bunch.images[:512] * 255 / 16).astype(np.uint8)
    return torch.from_numpy(x)[:, None], torch.from_numpy(bunch.target[:512]).long()


@cache
def image() -> Image:
    return Image.fit(Samples(digits()[0][:, 0].numpy()), ImageConfig())


def batch(count=64):
    x, y = digits()
    return Batch(image().prepare(x[:count]), y[:count])


def config_of(cls, **settings) -> Any:
    faults = Faults()
    made = resolve(cls, settings, faults)
    faults.raise_if_any()
    return made


def backbone(name="mlp", spec=None, seed=0, **settings):
    cls = backbones.table.load(name)
    torch.manual_seed(seed)
    return cls(config_of(cls.Config, **settings), spec or image().spec)


def objective(name="autoencoder", encoder=None, **settings):
    cls = objectives.table.load(name)
    return cls(config_of(cls.Config, **settings), encoder or backbone(), image().spec)


def supervised(encoder=None, *, pretrained=True, **settings):
    encoder = encoder or backbone()
    cls = tasks.table.load("classification")
    task = cls(config_of(cls.Config), encoder.dim, {"classes": list(range(10))})
    return Supervised(config_of(FineTuneConfig, **settings), encoder, task, pretrained=pretrained)


def engine(
    learner, steps=30, *, folder=None, seed=0, batch_size=32, validation=None, watchers=(),
    count=512, say=lambda _: None, **settings,
):  # fmt: skip
    x, y = (part[:count] for part in digits())
    return Engine(
        learner,
        config_of(TrainingConfig, **settings),
        Resident(x, y, seed=seed),
        image(),
        duration=Duration(steps, "steps"),
        batch_size=batch_size,
        seed=seed,
        folder=folder,
        validation=validation,
        watchers=watchers,
        say=say,
    )


def weights(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def identical(one, other):
    """Whether two state dicts are equal to the last bit."""
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def curve(folder):
    records = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    found = []
    for record in records:
        figures = record.get("train") or record["validation"]
        found += [figures[name] for name in sorted(figures)]
    return np.array(found)
