"""Series in a file that is larger than memory: rows are read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECE = 4_096  # rows that are read at once where all are


@dataclass(frozen=True)
class Mapped:
    """Some rows of an array on disk, in an order.

    whole: `[M, C, T]`, mapped. index: `[N]`, which of its rows these are.
    """

    whole: NDArray[Any]
    index: NDArray[np.integer[Any]]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def nbytes(self) -> int:
        """Of the rows, read as float32."""
        return 4 * len(self) * int(np.prod(self.whole.shape[1:]))

    def take(self, index: NDArray[np.integer[Any]]) -> Mapped:
        """The rows at `index`, in that order; nothing is read."""
        return Mapped(self.whole, self.index[index])

    def label(self, index: int) -> str:
        """What to call a row."""
        return str(int(self.index[index]))

    def read(self, part: slice | NDArray[np.integer[Any]] = slice(None)) -> NDArray[np.float32]:
        """Rows as float32, in order."""
        index = self.index[part]
        order = np.argsort(index, kind="stable")  # neighbours on disk one after another
        out = np.empty((len(index), *self.whole.shape[1:]), dtype=np.float32)
        with np.errstate(over="ignore"):
            out[order] = self.whole[index[order]]
        return out

    def pieces(self) -> Iterator[NDArray[np.float32]]:
        """All rows, so many at once."""
        for start in range(0, len(self), PIECE):
            yield self.read(slice(start, start + PIECE))
