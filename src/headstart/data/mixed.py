"""Two sets in every batch: the few that are labelled, and the many that are not."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from headstart.data.loader import Loader


class Mixed:
    """An order in which samples of one set are strewn evenly among those of another.

    The few are gone through many times while the many are gone through once. As of any loader, what
    is drawn is a function of (seed, position); of which set a sample is hangs on its position
    alone, so that a batch shared by several processes is the batch that one would draw.
    """

    def __init__(self, few: Loader, many: Loader, share: float) -> None:
        """share: of the samples drawn that come from the few, in 0..1."""
        self.few = few
        self.many = many
        self.share = Fraction(share).limit_denominator(10_000)  # floats would drift

    def __len__(self) -> int:
        return len(self.few) + len(self.many)

    def at(self, position: int, count: int) -> tuple[Tensor, Tensor | None]:
        """The samples at `position` to `position + count`."""
        before = self._few_before(torch.arange(position, position + count + 1))
        start, end = int(before[0]), int(before[-1])
        few = before.diff() > 0  # [count]
        parts = [
            loader.at(first, size)
            for loader, first, size in (
                (self.few, start, end - start),
                (self.many, position - start, count - (end - start)),
            )
            if size
        ]
        place = torch.empty(count, dtype=torch.long)  # of each position, in the parts
        place[few], place[~few] = torch.arange(end - start), torch.arange(end - start, count)
        columns = [torch.cat(column) for column in zip(*_whole(parts), strict=True)]
        x, *targets = (column[place.to(column.device)] for column in columns)
        return x, targets[0] if targets else None

    def _few_before(self, position: Tensor) -> Tensor:
        """How many of the samples before each position come from the few: its share, rounded up."""
        share = self.share
        return (position * share.numerator + share.denominator - 1) // share.denominator


def _whole(parts: list[tuple[Tensor, Tensor | None]]) -> list[tuple[Tensor, ...]]:
    """Without targets, where one set has none."""
    with_targets = all(y is not None for _, y in parts)
    return [(x, y) if with_targets and y is not None else (x,) for x, y in parts]
