"""Two sets in every batch: the few that are labelled, and the many that are not."""

from __future__ import annotations

import torch
from torch import Tensor

from headstart.data.loader import Loader


class Mixed:
    """Batches whose first rows come from one set and whose rest comes from another.

    The few are gone through many times while the many are gone through once. As of any loader,
    a batch is a function of (seed, position), for batches of one size.
    """

    def __init__(self, few: Loader, many: Loader, share: float) -> None:
        """share: of a batch that comes from the few, at least one sample of each set."""
        self.few = few
        self.many = many
        self.share = share

    def __len__(self) -> int:
        return len(self.few) + len(self.many)

    def at(self, position: int, count: int) -> tuple[Tensor, Tensor | None]:
        """The batch that begins at `position`, the few first."""
        first = min(count - 1, max(1, round(self.share * count)))
        step = position // count
        parts = [
            self.few.at(step * first, first),
            self.many.at(step * (count - first), count - first),
        ]
        targets = [y for _, y in parts if y is not None]
        x = torch.cat([x for x, _ in parts])
        return x, torch.cat(targets) if len(targets) == len(parts) else None
