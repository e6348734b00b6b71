"""Batches of samples that are about equally long, so that little of a batch is padding.

The order of `Order` is taken in stretches of many batches; each stretch is sorted by length, cut
into batches, and these are shuffled. A batch is a function of (seed, position), for batches of one
size, as of any loader.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from headstart.data.loader import Resident

STRETCH = 32  # batches that are sorted together


class Bucketed(Resident):
    """See `Loader`. lengths: of each sample, `[N]`."""

    def __init__(
        self, x: Tensor, lengths: Tensor, *, seed: int = 0, bad: Mapping[int, str] | None = None
    ) -> None:
        super().__init__(x, seed=seed, bad=bad)
        self.lengths = lengths
        self._seed = seed
        self._arranged: tuple[tuple[int, int], Tensor] | None = None

    def at(self, position: int, count: int) -> tuple[Tensor, Tensor | None]:
        """See `Loader`."""
        parts = []
        while count > 0:
            stretch, offset = divmod(position, STRETCH * count)
            part = self._arrangement(stretch, count)[offset : offset + count]
            parts.append(part)
            position += len(part)
            count -= len(part)
        return self.rows(torch.cat(parts))

    def _arrangement(self, stretch: int, count: int) -> Tensor:
        """Numbers of the samples of a stretch, batch after batch of similar ones."""
        key = (stretch, count)
        if self._arranged is None or self._arranged[0] != key:
            index = self.order.take(stretch * STRETCH * count, STRETCH * count)
            index = index[self.lengths[index].argsort(stable=True)].view(STRETCH, count)
            generator = torch.Generator().manual_seed((self._seed << 24) + stretch)
            shuffled = index[torch.randperm(STRETCH, generator=generator)].flatten()
            self._arranged = key, shuffled
        return self._arranged[1]
