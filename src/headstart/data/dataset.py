"""What every source gives: named splits of samples, with targets where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["image", "table"]
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Samples:
    """One split.

    inputs: an array `[N, ...]`, or the paths of N files.
    targets: `[N]` of int, float or str as the source gave them, or None when there are none.
    labelled: `[N]` of bool, False where a target is missing; None when all are there.
    names: how each sample is called in messages and tables; by default its row number.
    """

    inputs: NDArray[Any] | Sequence[Path]
    targets: NDArray[Any] | None = None
    labelled: NDArray[np.bool_] | None = None
    names: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def has_label(self) -> NDArray[np.bool_]:
        """`[N]`: which samples have a target."""
        if self.targets is None:
            return np.zeros(len(self), dtype=bool)
        return np.ones(len(self), dtype=bool) if self.labelled is None else self.labelled

    def name(self, index: int) -> str:
        """What to call one sample."""
        return str(index) if self.names is None else self.names[index]

    def take(self, index: NDArray[np.integer[Any]]) -> Samples:
        """The samples at `index`, in that order."""
        if isinstance(self.inputs, np.ndarray):
            inputs: NDArray[Any] | Sequence[Path] = self.inputs[index]
        else:
            inputs = [self.inputs[i] for i in index]
        return Samples(
            inputs,
            None if self.targets is None else self.targets[index],
            None if self.labelled is None else self.labelled[index],
            [self.name(int(i)) for i in index],
        )


@dataclass(frozen=True)
class Dataset:
    """Samples in splits.

    source: what the user typed, for messages.
    kind: which modality reads the inputs.
    target_name: the column the targets come from, where a source has several.
    notes: what was decided in reading, for the user: splits made, columns chosen.
    """

    source: str
    kind: Kind
    splits: dict[str, Samples]
    target_name: str | None = None
    columns: Sequence[str] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def train(self) -> Samples:
        """The samples that everything is fitted on."""
        return self.splits["train"]

    def with_splits(self, splits: dict[str, Samples], *notes: str) -> Dataset:
        """The same data set, cut otherwise."""
        return replace(self, splits=splits, notes=[*self.notes, *notes])
