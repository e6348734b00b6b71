"""One batch through every transform that is on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from headstart.modalities.augment import colour
from headstart.modalities.augment.blur import blur
from headstart.modalities.augment.erase import erase
from headstart.modalities.augment.geometry import move
from headstart.modalities.augment.settings import NAMES, Ground, Kind
from headstart.modalities.base import Strength
from headstart.modalities.strengths import Amounts, amounts_from


@dataclass(frozen=True)
class Augmentation:
    """What is done to pictures of a kind.

    amounts: by strength ("weak", "strong"), every field of `Strengths`.
    """

    kind: Kind
    ground: Ground
    amounts: dict[Strength, Amounts]

    def __call__(self, x: Tensor, strength: Strength = "weak") -> Tensor:
        """Another picture of each thing: float `[B, C, H, W]` in 0..1 → the same shape."""
        amounts = self.amounts[strength]
        x = move(x, amounts, self.ground)
        x = colour.jitter(x, amounts)
        x = colour.solarise(x, amounts)
        x = blur(x, amounts)
        x = colour.add_noise(x, amounts)
        return erase(x, amounts, self.ground)

    def state(self) -> dict[str, Any]:
        """Itself, as JSON can hold it."""
        weak, strong = self.amounts["weak"], self.amounts["strong"]
        return {"kind": self.kind, "ground": self.ground, "weak": weak, "strong": strong}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Augmentation:
        """What `state()` described."""
        amounts = amounts_from(state, NAMES)
        return cls(state["kind"], state["ground"], amounts)
