"""Batches by index from a tensor in memory, in an order that is a function of (seed, position).

Every epoch is one seeded permutation, and epochs follow one another without a gap: a batch may
span two. So every batch has the same size, any data set fills any batch, and the loader's whole
state is the number of samples drawn so far.
"""

from __future__ import annotations

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


class Resident:
    """Samples held as one tensor, with targets beside them.

    x: `[N, ...]`, as compact as it is kept (`uint8` for pictures).
    y: `[N]` or None.
    """

    def __init__(self, x: Tensor, y: Tensor | None = None, *, seed: int = 0) -> None:
        if y is not None and len(y) != len(x):
            raise ValueError(f"{len(x)} samples but {len(y)} targets")
        self.x = x
        self.y = y
        self.order = Order(len(x), seed)

    def __len__(self) -> int:
        return len(self.x)

    def at(self, position: int, count: int) -> tuple[Tensor, Tensor | None]:
        """The shuffled batch that begins at `position`."""
        index = self.order.take(position, count).to(self.x.device)
        y = None if self.y is None else self.y[index]
        return self.x.index_select(0, index), y

    def in_order(self, count: int) -> list[tuple[Tensor, Tensor | None]]:
        """All samples once, unshuffled, in batches of at most `count`."""
        return [
            (self.x[i : i + count], None if self.y is None else self.y[i : i + count])
            for i in range(0, len(self.x), count)
        ]
