"""Means of what the steps say, kept on the device until a line is written."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from headstart import collectives


class Figures:
    """Sums of named figures since the last line, each weighted by what it is a mean over.

    One vector a player, so that a step adds to all its figures at once and waits for nothing.
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], Tensor] = {}  # names → [K + 1], the last is the weight

    def add(self, figures: dict[str, Tensor], weight: int, sound: Tensor) -> None:
        """Count figures, scalars each; nothing where `sound` is False."""
        one = torch.ones_like(sound, dtype=torch.float32)
        values = torch.stack([*(v.detach().float() for v in figures.values()), one])  # [K + 1]
        values = torch.where(sound, values * weight, 0.0)
        names = tuple(figures)
        before = self._sums.get(names)
        self._sums[names] = values if before is None else before + values

    def means(self) -> dict[str, float]:
        """The weighted mean of each figure over all processes, if any was sound; begins anew."""
        found: dict[str, tuple[float, float]] = {}  # name → sum, weight
        for names, sums in self._sums.items():  # a name may stand among these and among those
            collectives.add_up(sums)
            *values, weight = sums.tolist()
            for name, value in zip(names, values, strict=True):
                before = found.get(name, (0.0, 0.0))
                found[name] = before[0] + value, before[1] + weight
        self._sums = {}
        return {name: value / weight for name, (value, weight) in found.items() if weight > 0}

    def state_dict(self) -> dict[str, Any]:
        """The sums so far, of this process."""
        return {"names": [list(names) for names in self._sums], "sums": list(self._sums.values())}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Take up what `state_dict` gave."""
        pairs = zip(state["names"], state["sums"], strict=True)
        self._sums = {tuple(names): sums.to(device) for names, sums in pairs}
