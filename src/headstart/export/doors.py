"""What goes into an exported graph, by kind of data, and the preprocessing that is part of it.

A door is the first layer of a graph. What cannot be drawn as a graph (decoding a picture file,
cutting a text into pieces) stays outside and is said in `about`.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.data.dataset import Samples
from headstart.data.hearing import HEAD
from headstart.modalities.audio import Audio
from headstart.modalities.image import Image
from headstart.modalities.numeric import Numeric
from headstart.modalities.series import Series
from headstart.modalities.tabular import Table
from headstart.modalities.text import Text

READING = ("rate", "window", "windows", "level", "trim")  # what `data.hearing.row` is told


class Free(NamedTuple):
    """A dimension of any size: a multiple of `step`, at most `most` times."""

    name: str
    most: int
    step: int = 1


class Door(nn.Module):
    """Compact samples, as the modality holds them, prepared within the graph.

    name: of the graph's input. free: dimensions that may vary, beside the batch's.
    """

    name: ClassVar[str] = "samples"
    modality: Any
    free: dict[int, Free]

    def __init__(self, modality: Any) -> None:
        super().__init__()
        self.modality = modality
        self.free = {}

    def forward(self, x: Tensor) -> Tensor:
        """Raw `[B, ...]` → what the encoder reads."""
        prepared: Tensor = self.modality.prepare(x)
        return prepared

    def raw(self, samples: Samples) -> Tensor:
        """Samples as they go in, `[N, ...]`."""
        found: Tensor = self.modality.tensor(samples)[0]
        return found

    def about(self) -> dict[str, Any]:
        """What somebody must know who fills the door: in words, and in figures."""
        return {"means": "samples as headstart holds them in memory"}


class Columns(Door):
    """`float32 [B, F]`: numbers normalised, categories as codes, as `modalities.tabular` does."""

    name: ClassVar[str] = "columns"

    def about(self) -> dict[str, Any]:
        """Which columns, in which order; their curves and codes are in `preprocessing`."""
        return {
            "means": "a table's columns, prepared: numbers first, then codes of categories;"
            " 'preprocessing' has the curve of each number and the code of each value",
            "columns": [column.name for column in self.modality.columns],
        }


class Sounds(Door):
    """`int16 [B, HEAD + L]`: how long the recording is, then its wave; log-mel is inside."""

    name: ClassVar[str] = "recordings"

    def about(self) -> dict[str, Any]:
        """Rate and length."""
        reading = self.modality.reading
        return {
            "means": f"recordings as 16-bit samples, {reading.rate:,} a second, mono, silence cut"
            f" off, equally loud, filled up with 0; the first {HEAD} numbers are the length,"
            " its remainder by 32,768 and its quotient; the map of pitches is inside",
            "rate": reading.rate,
            "length": reading.window * reading.windows,
            "head": HEAD,
            "reading": {n: getattr(reading, n) for n in READING},
        }


class Courses(Door):
    """`float32 [B, C, T]` as measured, NaN where nothing was; normalised and filled inside."""

    def about(self) -> dict[str, Any]:
        """Channels and steps."""
        modality = self.modality
        missing = "NaN where nothing was measured" if modality.flagged else "none missing"
        names = {} if modality.channels is None else {"names": modality.channels}
        return {
            "means": f"series as measured, {missing}; normalisation is inside",
            "channels": len(modality.mean),
            **names,
            "length": modality.length,
        }


class Pictures(Door):
    """`uint8 [B, C, H, W]`; mean and deviation are inside."""

    name: ClassVar[str] = "pixels"

    def about(self) -> dict[str, Any]:
        """Size and channels."""
        channels, height, width = self.modality.spec.shape
        return {
            "means": f"{'grey' if channels == 1 else 'RGB'} pixels, 0 to 255, upright, resized to"
            f" {height}×{width} (bilinear); normalisation is inside",
            "channels": channels,
            "size": [height, width],
        }


class Tokens(Door):
    """`int64 [B, T]`, the numbers of `tokenizer.json`."""

    name: ClassVar[str] = "tokens"

    def __init__(self, modality: Text) -> None:
        super().__init__(modality)
        self.free = {1: Free("length", modality.length)}
        if modality.length > modality.window:
            # Pairs of windows: of a single one torch.export would make a case of its own.
            pair = 2 * modality.window
            self.free = {1: Free("pairs", -(-modality.length // pair), pair)}

    def forward(self, x: Tensor) -> Tensor:
        """As they are."""
        return x

    def raw(self, samples: Samples) -> Tensor:
        """As wide as the longest text needs, in the steps that the graph takes."""
        x = self.modality.prepare(self.modality.tensor(samples)[0])
        return F.pad(x, (0, -x.shape[1] % self.free[1].step), value=self.modality.vocabulary.pad)

    def about(self) -> dict[str, Any]:
        """How long texts may be, and what fills up."""
        return {
            "means": "numbers of the tokenizer's pieces, filled up with 'pad'; the tokenizer file"
            " adds what begins and ends a text and cuts it",
            "longest": self.modality.length,
            "in_steps_of": self.free[1].step,
            "pad": self.modality.vocabulary.pad,
        }


class Numbers(Door):
    """`float64 [B, F]`, the columns as they stand in the file; standardised inside."""

    name: ClassVar[str] = "columns"
    mean: Tensor
    std: Tensor

    def __init__(self, modality: Numeric) -> None:
        super().__init__(modality)
        self.register_buffer("mean", torch.tensor(modality.mean, dtype=torch.float64))
        self.register_buffer("std", torch.tensor(modality.std, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """As `Numeric.tensor` does it, in double precision."""
        return ((x - self.mean) / self.std).float()

    def raw(self, samples: Samples) -> Tensor:
        """The columns."""
        return torch.from_numpy(np.asarray(samples.inputs, dtype=np.float64))

    def about(self) -> dict[str, Any]:
        """How many columns."""
        return {"means": "raw columns; they are standardised inside", "columns": len(self.mean)}


def door_of(modality: Any) -> Door:
    """The door that suits a modality."""
    if isinstance(modality, Text):
        return Tokens(modality)
    if isinstance(modality, Numeric):
        return Numbers(modality)
    if isinstance(modality, Audio):
        return Sounds(modality)
    if isinstance(modality, Table):
        return Columns(modality)
    if isinstance(modality, Series):
        return Courses(modality)
    return Pictures(modality) if isinstance(modality, Image) else Door(modality)
