"""The four small values that pass between the nouns. This module does not import torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from torch import Tensor


SampleKind = Literal["continuous", "categorical", "mixed", "tokens"]
ANY_KIND: frozenset[SampleKind] = frozenset(get_args(SampleKind))


@dataclass(frozen=True)
class Vocabulary:
    """The pieces that texts are cut into, and the numbers of those that are no text.

    size: how many pieces. pad fills rows up; begin and end stand at the two ends of a text; mask
    stands for a piece that is hidden; unknown for what no piece spells.
    inside: `[size]`, whether a piece goes on a word that another piece began.
    spelling: `[size]`, the characters of each piece as the tokenizer writes them; "" for what is
        no text.
    window: pieces that are looked at together; longer rows are read window by window.
    """

    size: int
    pad: int
    begin: int
    end: int
    mask: int
    unknown: int
    inside: tuple[bool, ...]
    spelling: tuple[str, ...]
    window: int

    @property
    def special(self) -> tuple[int, ...]:
        """Numbers of all pieces that are no text."""
        return tuple(sorted({self.pad, self.begin, self.end, self.mask, self.unknown}))


@dataclass(frozen=True)
class Spec:
    """What one prepared sample looks like, so that nobody asks 'which modality?'.

    shape: of one sample, without the batch: `(C, H, W)` for an image, `(C, T)` for a series,
        `(F,)` for numbers, `(T,)` for tokens, whose batches may be narrower: as wide as their
        longest row.
    low, high: bounds of continuous values after preprocessing; None when unbounded.
    cardinalities: number of values of each categorical column; in a mixed sample `(F,)` these
        columns come last, as whole numbers, and 0 and 1 stand for what is missing and unseen.
    edges: of each number of a mixed sample, values that cut what train has of it into equal parts.
    vocabulary: of tokens.
    flagged: whether the second half of a series' channels say, by 1 and 0, where the first half
        was measured; what was not is filled in, and steps after a series' end are not measured.
    empty: what fills a sample up behind its end, where samples have ends of their own.
    windows: a sample may be up to so many times as long as `shape` says, along its last dimension,
        in batches of which each is as long as its longest needs.
    step: seconds between columns of its last dimension; None where that is no time.
    """

    kind: SampleKind
    shape: tuple[int, ...]
    low: float | None = None
    high: float | None = None
    cardinalities: tuple[int, ...] = ()
    edges: tuple[tuple[float, ...], ...] = ()
    vocabulary: Vocabulary | None = None
    flagged: bool = False
    empty: float | None = None
    windows: int = 1
    step: float | None = None

    @property
    def size(self) -> int:
        """Numbers in one sample."""
        return math.prod(self.shape)

    @property
    def numbers(self) -> int:
        """Of a mixed sample: columns that are numbers, which come first."""
        return self.size - len(self.cardinalities)

    @property
    def is_image(self) -> bool:
        """Whether a sample is `(C, H, W)`."""
        return self.kind == "continuous" and len(self.shape) == 3

    def bounded(self, x: Tensor) -> Tensor:
        """`[B, ...]` within the bounds, where there are any."""
        bounds = (self.low, self.high)
        return x if bounds == (None, None) else x.clamp(*bounds)

    @property
    def is_series(self) -> bool:
        """Whether a sample is `(C, T)`."""
        return self.kind == "continuous" and len(self.shape) == 2


@dataclass(slots=True)
class Batch:
    """Prepared samples on the device.

    x: `[views * B, ...]`, view after view, augmented where training asks for it.
    y: `[B, ...]` targets, or None.
    clean: `[B, ...]`, the same samples as `x` before augmentation, where that differs.
    frames: `[B, T]` of bool, the tokens that tasks on frames answer for; None: all there are.
    blend: for backbones that blend (`Backbone.blends`): with which sample each is mixed `[B]`, and
        the share `[]` of itself that is left. Codes of categories cannot be mixed before they are
        encoded.
    """

    x: Tensor
    y: Tensor | None = None
    views: int = 1
    clean: Tensor | None = None
    frames: Tensor | None = None
    blend: tuple[Tensor, Tensor] | None = None

    @property
    def target(self) -> Tensor:
        """The untouched samples `[B, ...]`: what a denoiser should give back."""
        return self.x if self.clean is None else self.clean

    def __len__(self) -> int:
        return len(self.x) // self.views


@dataclass(slots=True)
class Features:
    """What a backbone makes of a batch: pooled `[B, D]`, tokens `[B, T, D]`, mask `[B, T]`.

    members: `[B, K, D]`, of a backbone that is an ensemble within: each member's own, of which
        `pooled` is the mean. A loss is that of each member, an answer the mean of theirs.
    """

    pooled: Tensor
    tokens: Tensor | None = None
    mask: Tensor | None = None
    members: Tensor | None = None


@dataclass(slots=True)
class Step:
    """The loss of one player on one batch.

    weight: what `loss` is a mean over; two processes equal one only when it is right.
    logs: named parts of the loss and other figures, detached, read only when a line is logged.
    """

    loss: Tensor
    weight: int
    logs: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def sum(cls, weight: int, **terms: Tensor) -> Step:
        """A step whose loss is the sum of named terms, each logged under its name."""
        return cls(
            loss=sum(terms.values()),  # type: ignore[arg-type]
            weight=weight,
            logs={name: term.detach() for name, term in terms.items()},
        )
