"""What every source gives: named splits of samples, with targets where there are any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from headstart.data.files import Files
from headstart.data.mapped import Mapped

if TYPE_CHECKING:
    from headstart.data.corpus import Corpus

Kind = Literal["image", "series", "table", "text", "audio"]
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Numbered(Sequence[str]):
    """Names that differ in a number, made when they are asked for: `adult.csv:17`."""

    before: str
    numbers: NDArray[np.integer[Any]]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Numbered(self.before, self.numbers[index])
        return f"{self.before}{int(self.numbers[index])}"

    def take(self, index: NDArray[np.integer[Any]]) -> Numbered:
        """The names at `index`, in that order."""
        return Numbered(self.before, self.numbers[index])


@dataclass(frozen=True)
class Samples:
    """One split.

    inputs: an array `[N, ...]` (of str for texts, tuples of them for words), where N files lie, or
        texts or series that are streamed.
    targets: `[N]` of int, float or str as the source gave them, or None when there are none.
    labelled: `[N]` of bool, False where a target is missing; None when all are there.
    names: how each sample is called in messages and tables; by default as its file is called
        within the source, or its row number.
    groups: `[N]`, which samples belong together (of one speaker, one patient): splits that are made
        keep them so. None where all stand alone.
    channels: of series, how their channels are called; None where nobody says so.
    """

    inputs: NDArray[Any] | Files | Corpus | Mapped
    targets: NDArray[Any] | None = None
    labelled: NDArray[np.bool_] | None = None
    names: Sequence[str] | None = None
    groups: NDArray[Any] | None = None
    channels: Sequence[str] | None = None

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
        if self.names is not None:
            return self.names[index]
        return str(index) if isinstance(self.inputs, np.ndarray) else self.inputs.label(index)

    def take(self, index: NDArray[np.integer[Any]]) -> Samples:
        """The samples at `index`, in that order."""
        if not isinstance(self.inputs, np.ndarray | Files | Mapped):
            texts, called = self.inputs.take(index)
            return Samples(texts, names=called)
        names = self.names
        if isinstance(names, Numbered):
            named: Sequence[str] | None = names.take(index)
        else:
            named = self._named(index)
        return Samples(
            self.inputs[index] if isinstance(self.inputs, np.ndarray) else self.inputs.take(index),
            None if self.targets is None else self.targets[index],
            None if self.labelled is None else self.labelled[index],
            named,
            None if self.groups is None else self.groups[index],
            self.channels,
        )

    def _named(self, index: NDArray[np.integer[Any]]) -> list[str] | None:
        names = self.names
        if names is None and not isinstance(self.inputs, Files | Mapped):
            names = range(len(self))  # type: ignore[assignment]
        return None if names is None else [str(names[int(i)]) for i in index]

    def cut(self, counts: Mapping[str, int]) -> dict[str, Samples]:
        """Consecutive runs of samples by name, each of so many."""
        parts: dict[str, Samples] = {}
        begin = 0
        for name, count in counts.items():
            parts[name] = self.take(np.arange(begin, begin + count))
            begin += count
        return parts


@dataclass(frozen=True)
class Dataset:
    """Samples in splits.

    source: what the user typed, for messages.
    kind: which modality reads the inputs.
    target_name: the column the targets come from, where a source has several.
    notes: what was decided in reading, for the user: splits made, columns chosen.
    task: what its targets ask for, where their form says so.
    """

    source: str
    kind: Kind
    splits: dict[str, Samples]
    target_name: str | None = None
    columns: Sequence[str] | None = None
    notes: list[str] = field(default_factory=list)
    task: str | None = None

    @property
    def train(self) -> Samples:
        """The samples that everything is fitted on."""
        return self.splits["train"]

    @property
    def usual_split(self) -> str:
        """The split that is asked where none is named: test, else train, else what there is."""
        return next(name for name in ("test", "train", "validation") if name in self.splits)

    def with_splits(self, splits: dict[str, Samples], *notes: str) -> Dataset:
        """The same data set, cut otherwise."""
        return replace(self, splits=splits, notes=[*self.notes, *notes])
