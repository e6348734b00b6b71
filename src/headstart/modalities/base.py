"""The face every modality shows to workflows and reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from headstart.data.corpus import Corpus
from headstart.data.dataset import Samples
from headstart.data.decoding import Decoding
from headstart.data.rows import RowParts
from headstart.types import Spec

Strength = Literal["weak", "strong"]


@runtime_checkable
class Stretchy(Protocol):
    """A modality whose samples may share rows: texts."""

    def stretches(self, samples: Samples, *, on_bad: str = "fail") -> tuple[Tensor, list[int]]:
        """As `Modality.tensor`, for learners that take any stretch of samples."""
        ...


@runtime_checkable
class Streaming(Protocol):
    """A modality whose samples may be too many to be held: texts."""

    def streamed(self, texts: Corpus, *, packed: bool) -> RowParts:
        """Their rows; packed: for learners that take any stretch of text."""
        ...


@runtime_checkable
class Wordy(Protocol):
    """A modality whose samples are made of words that can be answered for one by one: texts."""

    by_words: bool

    def frames(self, x: Tensor) -> Tensor | None:
        """Which tokens of a compact batch begin a word, `[B, T]`; None where all count alike."""
        ...


def frames_of(modality: object, x: Tensor) -> Tensor | None:
    """Which tokens of a compact batch tasks on frames answer for, `[B, T]`; None: all there are."""
    return modality.frames(x) if isinstance(modality, Wordy) else None


@runtime_checkable
class Windowed(Protocol):
    """A modality whose samples may be longer than what is looked at together: recordings."""

    def by_window(self) -> Modality:
        """The same, of which each sample is one window: for learners that take any stretch."""
        ...

    def pieces(self, samples: Samples) -> Samples:
        """Samples of one window each that lie one after another in long ones; no targets."""
        ...

    def note_lengths(self, train: Samples) -> None:
        """Say in `notes` what is not looked at of other samples than it was fitted on."""
        ...

    def cut_short(self, samples: Samples) -> NDArray[np.intp]:
        """Rows of samples of which only a part is looked at."""
        ...


@runtime_checkable
class Drawn(Protocol):
    """A modality that knows how to draw what the network sees."""

    def brightness(self, x: Tensor) -> Tensor:
        """What the network sees → pictures in 0..1, `[B, C, H, W]`."""
        ...


@runtime_checkable
class Augmentable(Protocol):
    """A modality whose settings have `augment`, which may be chosen anew once it is fitted."""

    def augmented_by(self, augment: Any, train: Samples) -> Modality:
        """Itself, but for how samples are moved and hidden.

        augment: those settings; train: samples as it reads them, by which to choose what is not
            named.
        """
        ...


class Modality(Protocol):
    """Raw samples → tensors → prepared batches. Everything fitted is in `state()`."""

    default_backbone: ClassVar[str]
    default_objective: ClassVar[str]
    notes: Sequence[str]  # what was decided in fitting, for the user, a sentence each

    @classmethod
    def fit(cls, train: Samples, config: Any) -> Modality:
        """Learn sizes and statistics from train, and from nothing else."""
        ...

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Modality:
        """What `state()` described."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything fitted, as JSON can hold it."""
        ...

    @property
    def spec(self) -> Spec:
        """What a prepared sample looks like."""
        ...

    def tensor(self, samples: Samples, *, on_bad: str = "fail") -> tuple[Tensor, list[int]]:
        """All samples as one compact tensor, and the rows that could not be read."""
        ...

    @property
    def decoding(self) -> Decoding | None:
        """How one encoded sample becomes a row of that tensor; None where none are encoded."""
        ...

    def prepare(self, x: Tensor) -> Tensor:
        """A compact batch → what the network sees: float, normalised."""
        ...

    def augment(self, x: Tensor, strength: Strength = "weak") -> Tensor:
        """A compact batch → other samples of the same things, prepared.

        strength: "weak" keeps a sample what it is beyond doubt; "strong" asks more of a learner
            that compares samples (contrastive views, self-training).
        """
        ...

    def describe(self, x: Tensor) -> Tensor | None:
        """A compact batch → what is known to tell such samples apart without a network.

        `[B, F]`, compared by cosine; None where there is no such description.
        """
        ...
