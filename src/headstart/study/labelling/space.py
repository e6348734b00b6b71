"""What a rule may look at: where samples lie, which are labelled, what a model says of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

CHUNK = 512  # rows compared with all others at a time


@dataclass
class Space:
    """Samples as unit vectors, near where they are alike.

    z: `[N, D]`; known: positions that have a label; answers: probabilities `[N, K]` of a model.
    """

    z: Tensor
    known: list[int] = field(default_factory=list)
    answers: Tensor | None = None
    seed: int = 0

    def __len__(self) -> int:
        return len(self.z)

    @property
    def generator(self) -> torch.Generator:
        """Random numbers that hang on the seed alone."""
        return torch.Generator().manual_seed(self.seed)

    def squared(self, rows: Tensor) -> Tensor:
        """Squared distances of samples `rows` `[M]` to all, `[M, N]`."""
        return (2.0 - 2.0 * (self.z[rows] @ self.z.T)).clamp(min=0.0)

    def chunks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows `[M]` and their squared distances to all `[M, N]`, until every row was there."""
        for rows in torch.split(torch.arange(len(self)), CHUNK):
            yield rows, self.squared(rows)
