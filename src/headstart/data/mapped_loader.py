"""Batches of series that stay on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.data.loader import Order

Read = Callable[[NDArray[np.integer[Any]]], Tensor]


class MappedRows:
    """See `loader.Loader`.

    samples: how many. read: their numbers → compact rows. bad: which are damaged, and why.
    """

    y: Tensor | None = None

    def __init__(
        self,
        samples: int,
        read: Read,
        *,
        seed: int,
        bad: Mapping[int, str],
    ) -> None:
        self._samples, self._read, self._bad = samples, read, dict(bad)
        self._good = np.setdiff1d(np.arange(samples), list(bad))
        self._order = Order(samples, seed)

    def __len__(self) -> int:
        return self._samples

    def at(self, position: int, count: int) -> tuple[Tensor, Tensor | None]:
        """See `Loader`; the next readable row stands in for a bad one."""
        index = self._order.take(position, count).numpy()
        if self._bad:
            place = np.searchsorted(self._good, index) % len(self._good)
            index = self._good[place]
        return self._rows(index)

    def in_order(self, count: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        """See `Loader`."""
        for start in range(0, len(self._good), count):
            yield self._rows(self._good[start : start + count])

    def damaged(self, position: int) -> Mapping[int, str]:  # noqa: ARG002 - all were met at once
        """See `Loader`."""
        return self._bad

    def close(self) -> None:
        """See `Loader`."""

    def _rows(self, index: NDArray[np.integer[Any]]) -> tuple[Tensor, Tensor | None]:
        y = None if self.y is None else self.y[torch.from_numpy(index)]
        return self._read(index), y
