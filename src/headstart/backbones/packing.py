"""Short recordings side by side in one row, so that a batch is hardly longer than what it holds.

Words last from 0.1 to 1 second: padded to the longest of a batch, more than half of it is nothing,
and arithmetic on nothing takes as long. In training, recordings therefore share rows, apart by what
is behind every end (`Spec.empty`). The gap is shorter than what a network looks at: in training the
last tokens of a recording also depend on its neighbour in the row; in evaluation each is alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

WHOLE = 32  # rows are whole multiples of so many columns: few different shapes, planned once each


class Rows(Protocol):
    """Samples of a batch in rows `x` `[R, C, M, L]`."""

    @property
    def x(self) -> Tensor:
        """The rows."""
        ...

    def unpacked(self, tokens: Tensor, stride: int) -> Tensor:
        """Tokens of rows `[R, L / stride, D]` → of samples `[B, T / stride, D]`."""
        ...


@dataclass
class Padded:
    """Each sample alone in its row, after `gap` columns of nothing and before as many."""

    x: Tensor
    gap: int
    size: int

    def unpacked(self, tokens: Tensor, stride: int) -> Tensor:
        """See `Rows`."""
        first = self.gap // stride
        return tokens[:, first : first + -(-self.size // stride)]


@dataclass
class Packed:
    """Several samples a row.

    row, start, room: `[B]`, of each sample its row, its first column there, and how many columns
    are its own, the gap behind it included. size: columns of the samples as they came.
    """

    x: Tensor
    row: Tensor
    start: Tensor
    room: Tensor
    size: int

    def unpacked(self, tokens: Tensor, stride: int) -> Tensor:
        """See `Rows`; behind a sample's own room, its last token (of the gap) is repeated."""
        own = torch.arange(-(-self.size // stride), device=tokens.device)
        place = torch.minimum(own, self.room[:, None] // stride - 1)  # [B, t]
        return tokens[self.row[:, None], self.start[:, None] // stride + place]


def padded(x: Tensor, empty: float, gap: int) -> Padded:
    """Samples `[B, C, M, T]`, each in a row of its own."""
    return Padded(F.pad(x, (gap, gap), value=empty), gap, x.shape[-1])


def packed(x: Tensor, ends: Tensor, empty: float, gap: int) -> Packed:
    """Samples `[B, C, M, T]` that end at `ends` `[B]`, put side by side.

    gap: columns between two, at least; all begin at whole multiples, so that halvings meet them
        alike.
    """
    room = -(-(ends.cpu().numpy() + gap) // gap) * gap
    length = -(-2 * int(room.max()) // WHOLE) * WHOLE
    row, start = first_fit(room, length)
    b, channels, mels, size = x.shape
    # Which column of which sample each column of each row shows; b · size: none of any.
    source = np.full((int(row.max()) + 1, gap + length), b * size)
    start = start + gap
    for i, (r, s, n) in enumerate(zip(row, start, np.minimum(room, size), strict=True)):
        source[r, s : s + n] = np.arange(i * size, i * size + n)
    columns = x.movedim(-1, 1).reshape(b * size, channels, mels)
    columns = torch.cat([columns, columns.new_full((1, channels, mels), empty)])
    rows = columns[torch.from_numpy(source).to(x.device)].movedim(1, -1)  # [R, C, M, L]
    device = x.device
    return Packed(
        rows,
        torch.from_numpy(row).to(device),
        torch.from_numpy(start).to(device),
        torch.from_numpy(room).to(device),
        size,
    )


def first_fit(sizes: NDArray[np.int64], length: int) -> tuple[NDArray[np.int64], ...]:
    """The longest first, each into the first row with room for it: rows and starts, `[B]` each."""
    filled = np.zeros(len(sizes), np.int64)
    row, start = np.zeros_like(filled), np.zeros_like(filled)
    for i in np.argsort(-sizes, kind="stable"):
        row[i] = int(np.argmax(filled + sizes[i] <= length))
        start[i] = filled[row[i]]
        filled[row[i]] += sizes[i]
    return row, start
