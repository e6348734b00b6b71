"""One batch through every transform that is on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from headstart.modalities.base import Strength
from headstart.modalities.sound import maps, waves
from headstart.modalities.sound.settings import NAMES, Kind
from headstart.modalities.strengths import Amounts, amounts_from


@dataclass(frozen=True)
class Augmentation:
    """What is done to recordings.

    amounts: by strength ("weak", "strong"), every field of `Strengths`. rate: samples a second.
    window: samples that are looked at together.
    """

    kind: Kind
    rate: int
    window: int
    amounts: dict[Strength, Amounts]

    def waves(self, x: Tensor, lengths: Tensor, strength: Strength) -> tuple[Tensor, Tensor]:
        """Another recording of each thing: `[B, L]` and lengths `[B]` → the same."""
        amounts = self.amounts[strength]
        if amounts["speed"]:
            x, lengths = waves.speeded(x, lengths, amounts["speed"])
        if amounts["shift"]:
            x, lengths = waves.shifted(x, lengths, amounts["shift"] * self.window)
        if amounts["mix"]:
            x = waves.mixed(x, lengths, amounts)
        if amounts["room"] or amounts["equaliser"]:
            x = waves.filtered(x, lengths, self.rate, amounts)
        if amounts["gain"]:
            x = waves.louder(x, amounts["gain"])
        if amounts["noise"]:
            x = waves.noisy(x, lengths, amounts)
        return x, lengths

    def warp(self, x: Tensor, strength: Strength) -> Tensor:
        """Log-mel maps `[B, M, T]` with their pitches stretched."""
        limit = self.amounts[strength]["warp"]
        return maps.warped(x, self.rate, limit) if limit else x

    def mask(self, x: Tensor, frames: Tensor, strength: Strength) -> Tensor:
        """Normalised maps `[B, M, T]` with parts hidden; frames: of each recording, `[B]`."""
        amounts = self.amounts[strength]
        widest = (amounts["mask_mels"], amounts["mask_time"])
        count = round(amounts["masks"])
        return maps.masked(x, frames, widest, count) if count and any(widest) else x

    def state(self) -> dict[str, Any]:
        """Itself, as JSON can hold it."""
        weak, strong = self.amounts["weak"], self.amounts["strong"]
        return {"kind": self.kind, "weak": weak, "strong": strong}

    @classmethod
    def from_state(cls, state: dict[str, Any], rate: int, window: int) -> Augmentation:
        """What `state()` described."""
        amounts = amounts_from(state, NAMES)
        return cls(state["kind"], rate, window, amounts)
