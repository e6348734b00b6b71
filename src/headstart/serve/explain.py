"""Why an answer: the nearest training samples, and what of the input the answer hung on.

Occlusion (Zeiler and Fergus, 2014, arXiv:1311.2901): a part of the input is put out of sight, and
what the answer loses is that part's weight. It asks nothing of the network but answers. Words are
weighed by gradient times embedding, as the report does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.data.dataset import Samples
from headstart.errors import UserError
from headstart.modalities.image import Image
from headstart.modalities.numeric import Numeric
from headstart.modalities.series import Series
from headstart.modalities.text import Text
from headstart.serve.showing import Shown, show
from headstart.tasks.classification import Classification
from headstart.workflows.answer import open_for, own_data
from headstart.workflows.loaded import LoadedRun

PARTS = 9  # along each side of a picture
SLICES = 32  # of a sound or a series


@dataclass
class Memory:
    """Training samples as the encoder sees them. features: `[M, D]`, of length 1."""

    x: Tensor
    samples: Samples
    features: Tensor
    mean: Tensor

    @classmethod
    def of(cls, run: LoadedRun, most: int) -> Memory | None:
        """At most so many of the run's training samples, drawn evenly.

        Raises:
            UserError: the data the run learned from cannot be read any more.
        """
        train = open_for(run, own_data(run)).train
        some = np.sort(np.random.default_rng(0).permutation(len(train))[:most])
        samples = train.take(some)
        x, bad = run.modality.tensor(samples, on_bad="skip")
        if bad:
            good = np.setdiff1d(np.arange(len(samples)), bad)
            x, samples = x[torch.from_numpy(good)], samples.take(good)
        features = run.embeddings(x)
        mean = features.mean(dim=0, keepdim=True)
        return cls(x, samples, F.normalize(features - mean, dim=1), mean)

    def nearest(self, features: Tensor, count: int) -> list[tuple[int, float]]:
        """Numbers of the nearest samples to one of features `[1, D]`, and how like they are."""
        alike = self.features @ F.normalize(features - self.mean, dim=1)[0]
        best = alike.topk(min(count, len(alike)))
        return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))

    def shown(self, run: LoadedRun, i: int) -> dict[str, Any]:
        """One sample, as the page shows it."""
        targets = self.samples.targets
        known = targets is not None and bool(self.samples.has_label[i])
        target = _plain(targets[i]) if known and targets is not None else None
        raw, modality = _raw(self.samples, i), cast("Any", run.modality)
        if isinstance(modality, Numeric):  # as they are asked for, not standardised
            numbers = np.asarray(self.samples.inputs)[i]
            raw = {f"column {j + 1}": _cell(value) for j, value in enumerate(numbers)}
        said: Shown = show(run.modality, self.x[i], raw)
        return {"name": self.samples.name(i), "target": target, **said}


def memory_of(run: LoadedRun, most: int) -> tuple[Memory | None, str]:
    """The memory, or why there is none."""
    if most == 0:
        return None, "none were asked for (--neighbours 0)"
    try:
        return Memory.of(run, most), ""
    except UserError as error:
        return None, f"the data the run learned from cannot be read any more: {error.message}"


def drove(run: LoadedRun, x: Tensor) -> dict[str, Any] | None:
    """What the answer for one compact sample `[1, ...]` hung on; None where nobody can tell."""
    modality: Any = run.modality
    if run.task is None or run.task.framewise:
        return None
    if isinstance(modality, Text):
        return _words(run, x)
    if isinstance(modality, Image):
        return _places(run, x)
    if isinstance(modality, Series):
        return _slices(run, x, x.shape[-1], 0, float("nan") if modality.flagged else None)
    if x.ndim == 2 and x.is_floating_point():
        return _columns(run, x)
    if x.ndim == 2 and modality.decoding is not None:  # a sound: a head, then samples
        head = x.shape[1] - _wave_length(modality)
        return _slices(run, x, x.shape[1] - head, head, 0.0)
    return None


def _wave_length(modality: Any) -> int:
    return int(modality.reading.window * modality.reading.windows)


def _lost(run: LoadedRun, x: Tensor, hidden: Tensor) -> Tensor:
    """What the answer for `[1, ...]` loses in each of `[P, ...]`: `[P]`."""
    assert run.task is not None
    plain, other = run.outputs(x), run.outputs(hidden)
    said = run.task.answers(plain)
    if "probabilities" in said:
        best = int(said["probabilities"][0].argmax())
        if isinstance(run.task, Classification):  # which may favour a class
            best = int(run.task.chosen(plain)[0])
        others = run.task.answers(other)["probabilities"][:, best]
        return said["probabilities"][0, best] - others
    return (plain[:, 0] - other[:, 0]).abs()


def _places(run: LoadedRun, x: Tensor) -> dict[str, Any]:
    """A grid over a picture `[1, C, H, W]`; each cell hides a patch twice its size."""
    modality: Any = run.modality
    height, width = x.shape[2:]
    rows, columns = min(PARTS, height), min(PARTS, width)
    blank = (torch.tensor(modality.mean) * 255).round().to(torch.uint8).view(-1, 1, 1)
    hidden = x.repeat(rows * columns, 1, 1, 1)
    for i in range(rows):
        for j in range(columns):
            top, bottom = _around(i, rows, height)
            left, right = _around(j, columns, width)
            hidden[i * columns + j, :, top:bottom, left:right] = blank
    lost = _lost(run, x, hidden).view(rows, columns)
    return {"kind": "places", "values": _scaled(lost).tolist()}


def _around(i: int, parts: int, length: int) -> tuple[int, int]:
    size = length / parts
    return max(0, round((i - 0.5) * size)), min(length, round((i + 1.5) * size))


def _slices(
    run: LoadedRun, x: Tensor, length: int, head: int, blank: float | None
) -> dict[str, Any]:
    """Slices of a course `[1, ..., head + length]`; blank: None puts the course's mean there."""
    count = min(SLICES, length)
    hidden = x.repeat(count, *([1] * (x.ndim - 1)))
    for i in range(count):
        begin, end = head + i * length // count, head + (i + 1) * length // count
        part = hidden[i, ..., begin:end]
        if blank is None:
            part.copy_(x[0].float().mean(dim=-1, keepdim=True).expand_as(part))
        else:
            part.fill_(blank)
    return {"kind": "slices", "values": _scaled(_lost(run, x, hidden)).tolist()}


def _columns(run: LoadedRun, x: Tensor) -> dict[str, Any]:
    """Columns of a row `[1, F]`; each is put at what it is on average, or at 'missing'."""
    modality: Any = run.modality
    hidden: list[Tensor] = []
    names: list[str] = []
    columns = getattr(modality, "columns", None)
    at, codes_at = 0, len(modality.spec.edges)
    if columns is None:
        columns = []
        names = [f"column {i + 1}" for i in range(x.shape[1])]
        for i in range(x.shape[1]):
            other = x.clone()
            other[:, i] = 0.0
            hidden.append(other)
    for column in columns:
        other = x.clone()
        numbers, codes = len(column.edges), len(column.cardinalities)
        other[:, at : at + numbers] = 0.0
        other[:, codes_at : codes_at + codes] = 0.0
        at, codes_at = at + numbers, codes_at + codes
        hidden.append(other)
        names.append(column.name)
    lost = _scaled(_lost(run, x, torch.cat(hidden))).tolist()
    order = sorted(range(len(names)), key=lambda i: -lost[i])
    return {"kind": "columns", "columns": [{"name": names[i], "weight": lost[i]} for i in order]}


def _words(run: LoadedRun, x: Tensor) -> dict[str, Any]:
    from headstart.modalities.augment.words import is_text
    from headstart.report.passages import attribution

    modality = run.modality
    assert isinstance(modality, Text)
    try:
        prepared = run.batch(x).x
        weights = attribution(run, prepared)[0].tolist()
    except AttributeError:  # a network of others, whose embeddings are called otherwise
        return {"kind": "words", "words": []}
    there = is_text(prepared[0], modality.vocabulary).tolist()
    pieces = modality.pieces(prepared[0])
    words = [
        {"text": piece, "weight": weight}
        for piece, weight, said in zip(pieces, weights, there, strict=True)
        if said
    ]
    return {"kind": "words", "words": words}


def _scaled(lost: Tensor) -> Tensor:
    """Weights in -1..1: what speaks against the answer is below 0."""
    return lost / lost.abs().max().clamp(min=1e-9)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _raw(samples: Samples, i: int) -> Any:
    """A sample as its source gave it, where that can be shown: a text, a row."""
    if not isinstance(samples.inputs, np.ndarray):
        return None
    cell = samples.inputs[i]
    if samples.inputs.dtype.names is not None:
        names = samples.inputs.dtype.names
        return {name: _cell(cell[name]) for name in names}
    return _plain(cell) if samples.inputs.dtype.kind in "UO" else None


def _cell(value: Any) -> Any:
    plain = _plain(value)
    if isinstance(plain, float) and np.isnan(plain):
        return None
    return None if plain == "" else plain
