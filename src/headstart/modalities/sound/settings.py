"""What augmentation of recordings can do, and how strongly."""

from __future__ import annotations

from typing import Literal

from headstart.modalities.base import Strength
from headstart.modalities.strengths import Amounts, amounts_of, names_of
from headstart.settings import Settings, setting

Kind = Literal["speech", "sounds", "none"]


class Strengths(Settings):
    """How strongly each transform acts: 0 leaves it out, null is what suits the kind of sound.

    A field that ends in `_share` is the share of recordings that its transform touches.
    """

    shift: float | None = setting(
        None, "at most this share of a window, in time", flag="", least=0, most=1
    )
    speed: float | None = setting(
        None, "log of the largest change of speed and pitch", flag="", least=0
    )
    warp: float | None = setting(
        None, "log of the largest stretch of the pitch axis", flag="", least=0
    )
    gain: float | None = setting(
        None, "at most so many decibels louder or softer", flag="", least=0
    )
    noise: float | None = setting(
        None, "noise at most so loud, the sound being 1", flag="", least=0
    )
    noise_share: float | None = setting(
        None, "share of recordings with noise", flag="", least=0, most=1
    )
    room: float | None = setting(
        None, "longest reverberation, in seconds", flag="", least=0, most=10
    )
    room_share: float | None = setting(
        None, "share of recordings put in a room", flag="", least=0, most=1
    )
    equaliser: float | None = setting(
        None, "at most so many decibels in any band", flag="", least=0
    )
    mix: float | None = setting(
        None, "another recording beneath, at most so loud", flag="", least=0
    )
    mix_share: float | None = setting(
        None, "share of recordings with another beneath", flag="", least=0, most=1
    )
    mask_mels: float | None = setting(
        None, "widest band of pitch hidden, as a share", flag="", least=0, most=1
    )
    mask_time: float | None = setting(
        None, "longest time hidden, as a share", flag="", least=0, most=1
    )
    masks: float | None = setting(None, "bands and times hidden, each", flag="", least=0, most=100)


class AugmentConfig(Strengths):
    """What augmentation does to recordings.

    A strength given here holds for weak and strong augmentation; in `strong`, for that alone.
    """

    kind: Kind = setting("speech", "speech, sounds of any kind, or none of it", flag="")
    strong: Strengths = setting(factory=Strengths)


NAMES = names_of(Strengths)
USUAL: Amounts = {"noise_share": 0.5, "room_share": 0.3, "mix_share": 0.3, "masks": 1}

WEAK: dict[Kind, Amounts] = {
    "speech": {
        "shift": 0.1, "speed": 0.1, "warp": 0.08, "gain": 3, "noise": 0.03, "equaliser": 3,
        "mask_mels": 0.15, "mask_time": 0.1,
    },
    "sounds": {"shift": 0.25, "gain": 6, "noise": 0.02, "mask_mels": 0.15, "mask_time": 0.1},
    "none": {},
}  # fmt: skip
STRONG: dict[Kind, Amounts] = {
    "speech": {
        "shift": 0.2, "speed": 0.2, "warp": 0.15, "gain": 6, "noise": 0.1, "equaliser": 8,
        "room": 0.2, "mix": 0.2, "mask_mels": 0.25, "mask_time": 0.2, "masks": 2,
    },
    "sounds": {
        "shift": 0.5, "speed": 0.1, "gain": 10, "noise": 0.1, "equaliser": 8, "room": 0.3,
        "mix": 0.4, "mask_mels": 0.25, "mask_time": 0.25, "masks": 2,
    },
    "none": {},
}  # fmt: skip


def choose(config: AugmentConfig) -> dict[Strength, Amounts]:
    """By strength, what suits the kind, with the strengths that `config` names."""
    kind = config.kind
    return amounts_of(config, {**USUAL, **WEAK[kind]}, {**USUAL, **STRONG[kind]})
