"""Texts that are longer than the frames the network gives, or than what is heard, found at once.

CTC says a unit in a frame, and a blank between two of the same. Where a text needs more frames than
its recording has there is no way to say it: the loss is infinite, and counted as nothing it would
hide that the sample teaches nothing. Frames are counted without augmentation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.backbones.base import Backbone
from headstart.data.dataset import Samples
from headstart.data.loader import Loader
from headstart.errors import UserError
from headstart.modalities.base import Modality, Windowed
from headstart.tasks.base import Task
from headstart.types import Batch
from headstart.workflows.config import DataConfig
from headstart.workflows.supply import Supply

Counts = NDArray[np.integer[Any]]
CHUNK = 64
SHOWN = 5  # names


@dataclass(frozen=True)
class Kept:
    """What is left to learn from and to be judged by.

    left_out: names of samples of train that have no room; notes: what was found, for the user.
    """

    splits: dict[str, Samples]
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def settle(
        self, split: str, rows: Counts, what: str, error: Callable[[], UserError], *, skip: bool
    ) -> None:
        """Go on without `rows` of train, and with those of what judges, and say so.

        what: is wrong with them; skip: whether they may be left out, else `error` is raised.
        """
        if not len(rows):
            return
        samples = self.splits[split]
        told = f"{split}: {len(rows):,} of {len(samples):,} {what}"
        if split != "train":
            self.notes.append(f"{told} and cannot be answered without mistakes")
            return
        if not skip:
            raise error()
        names = [samples.name(int(i)) for i in rows]
        self.left_out.extend(names)
        self.splits[split] = samples.take(np.setdiff1d(np.arange(len(samples)), rows))
        more = ", ..." if len(names) > SHOWN else ""
        self.notes.append(f"{told} and were left out: {', '.join(names[:SHOWN])}{more}")


def without_overlong(
    splits: dict[str, Samples],
    task: Task,
    encoder: Backbone,
    modality: Modality,
    config: DataConfig,
) -> Kept:
    """The splits without those samples of train whose targets have no room, where these may go.

    Samples that judge stay: that they cannot be answered rightly is for the figures to say.

    Raises:
        UserError: train has such a sample and `--on-bad` is fail, or it has no other.
    """
    kept = Kept(dict(splits))
    if not task.framewise:
        return kept
    if isinstance(modality, Windowed):
        for name, samples in splits.items():
            cut = modality.cut_short(samples)
            what = "recordings are longer than all windows, their texts are of the whole"
            skip = config.on_bad == "skip" and len(cut) < len(samples)
            kept.settle(name, cut, what, partial(_cut_short, samples, cut), skip=skip)
    needs = {name: _needed(task, samples, name) for name, samples in kept.splits.items()}
    asked = {name: needed for name, needed in needs.items() if needed is not None}
    if not asked:
        return kept
    with Supply(dict(kept.splits), modality, config, seed=0, batch_size=1) as supply:
        for name, needed in asked.items():
            samples = kept.splits[name]
            frames = _frames(supply.loaders[name], len(samples), encoder, modality)
            tight = np.flatnonzero((frames >= 0) & (needed > frames))
            what = "texts take more frames than their recordings have"
            skip = config.on_bad == "skip" and len(tight) < (frames >= 0).sum()
            error = partial(_no_room, samples, needed, frames, tight)
            kept.settle(name, tight, what, error, skip=skip)
    return kept


def _cut_short(samples: Samples, cut: Counts) -> UserError:
    return UserError(
        f"{samples.name(int(cut[0]))} is longer than what is heard of a recording, but its text is"
        f" of the whole ({len(cut):,} of {len(samples):,} samples of train are like this).",
        "Hear more of each (--set modality.windows=16, where nothing else was pre-trained), cut"
        " recordings and texts into parts, or pass --on-bad skip to train without them.",
    )


def _needed(task: Task, samples: Samples, name: str) -> Counts | None:
    """Frames that each target takes, `[N]`; None where any number will do."""
    assert samples.targets is not None  # a budget holds what has labels
    needed = task.frames_needed(task.encode(samples.targets, name))
    return None if needed is None else needed.numpy()


@torch.no_grad()
def _frames(loader: Loader, samples: int, encoder: Backbone, modality: Modality) -> Counts:
    """Frames that the network gives for each of so many samples; -1 for what cannot be read."""
    learning = encoder.training
    encoder.eval()
    parts = [encoder.frames(Batch(modality.prepare(x))) for x, _ in loader.in_order(CHUNK)]
    encoder.train(learning)
    found = np.full(samples, -1)
    readable = np.setdiff1d(np.arange(samples), list(loader.damaged(0)))  # known by now
    found[readable] = torch.cat(parts).cpu().numpy()
    return found


def _no_room(samples: Samples, needed: Counts, frames: Counts, tight: Counts) -> UserError:
    first = int(tight[0])
    assert samples.targets is not None
    text = str(samples.targets[first])
    others = [f"{len(tight):,} of {len(samples):,} samples of train are like this."] * (
        len(tight) > 1
    )
    return UserError(
        f"the text of {samples.name(first)} is too long for its recording: its {len(text):,}"
        f" characters take {needed[first]:,} frames (one a unit, and a blank between two that are"
        f" alike), and the network gives {frames[first]:,}.",
        *others,
        "Mend these texts, write in larger units (--set task.units=subwords or words), ask for more"
        " frames a second (--set modality.hop=0.005; backbone.halve_time=1 of audioconv), or pass"
        " --on-bad skip to train without them.",
    )
