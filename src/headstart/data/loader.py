"""Batches by index, in an order that is a function of (seed, position).

Every epoch is one seeded permutation, and epochs follow one another without a gap: a batch may
span two. So every batch has the same size, any data set fills any batch, and the loader's whole
state is the number of samples drawn so far.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor


class Order:
    """The endless sequence of sample numbers."""

    def __init__(self, samples: int, seed: int) -> None:
        self.samples = samples
        self.seed = seed
        self._epochs: dict[int, Tensor] = {}

    def _permutation(self, epoch: int) -> Tensor:
        if epoch not in self._epochs:
            generator = torch.Generator().manual_seed((self.seed << 20) + epoch)
            recent = {e: p for e, p in self._epochs.items() if e >= epoch - 1}
            self._epochs = {**recent, epoch: torch.randperm(self.samples, generator=generator)}
        return self._epochs[epoch]

    def take(self, position: int, count: int) -> Tensor:
        """Numbers of the samples at `position` to `position + count`: `[count]`."""
        parts = []
        while count > 0:
            epoch, offset = divmod(position, self.samples)
            part = self._permutation(epoch)[offset : offset + count]
            parts.append(part)
            position += len(part)
            count -= len(part)
        return parts[0] if len(parts) == 1 else torch.cat(parts)


class Shuffled(Protocol):
    """What training draws from."""

    def __len__(self) -> int:
        """Samples, damaged ones too."""
        ...

    def at(self, position: int, count: int) -> tuple[Tensor, Tensor | None]:
        """The shuffled batch that begins at `position`."""
        ...


class Loader(Shuffled, Protocol):
    """The face of samples that training, validation and probes read.

    A damaged sample keeps its number, and in training the next readable one stands in for it, so
    that the order of the others does not depend on which are damaged or when that is found out.

    y: `[N]` targets, or None.
    """

    y: Tensor | None

    def in_order(self, count: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        """All readable samples once, unshuffled, in batches of at most `count`."""
        ...

    def damaged(self, position: int) -> Mapping[int, str]:
        """Numbers of the damaged samples met up to `position`, and what is wrong with each."""
        ...

    def close(self) -> None:
        """Let files and processes go."""
        ...


class Resident:
    """Samples held as one tensor, with targets beside them. See `Loader`.

    x: `[N, ...]`, as compact as it is kept (`uint8` for pictures).
    y: `[N]` or None.
    bad: numbers of damaged samples, whose rows mean nothing, and why; not all of them.
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor | None = None,
        *,
        seed: int = 0,
        bad: Mapping[int, str] | None = None,
    ) -> None:
        if y is not None and len(y) != len(x):
            raise ValueError(f"{len(x)} samples but {len(y)} targets")
        self.x = x
        self.y = y
        self.order = Order(len(x), seed)
        self.bad = dict(bad or {})
        self._stand_ins = _stand_ins(len(x), self.bad) if self.bad else None

    def __len__(self) -> int:
        return len(self.x)

    def at(self, position: int, count: int) -> tuple[Tensor, Tensor | None]:
        """See `Loader`."""
        return self.rows(self.order.take(position, count))

    def rows(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """The samples of those numbers `[B]`, and others in place of damaged ones."""
        if self._stand_ins is not None:
            index = self._stand_ins[index]
        index = index.to(self.x.device)
        y = None if self.y is None else self.y[index]
        return self.x.index_select(0, index), y

    def in_order(self, count: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        """See `Loader`."""
        for i in range(0, len(self.x), count):
            x, y = self.x[i : i + count], None if self.y is None else self.y[i : i + count]
            if self.bad:
                good = [j for j in range(len(x)) if i + j not in self.bad]
                x, y = x[good], None if y is None else y[good]
            if len(x):
                yield x, y

    def damaged(self, position: int) -> Mapping[int, str]:  # noqa: ARG002 - all were met at once
        """See `Loader`."""
        return self.bad

    def close(self) -> None:
        """See `Loader`."""


def _stand_ins(samples: int, bad: Mapping[int, str]) -> Tensor:
    """`[N]`: each sample's own number, or that of the next readable one after a damaged one."""
    if len(bad) >= samples:
        raise ValueError("not one sample can be read")
    index = torch.arange(samples)
    rows = torch.tensor(sorted(bad))
    readable = torch.ones(samples, dtype=torch.bool)
    readable[rows] = False
    good = index[readable]
    index[rows] = good[torch.searchsorted(good, rows) % len(good)]
    return index
