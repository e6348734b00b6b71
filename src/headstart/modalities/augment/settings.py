"""What augmentation can do, and how strongly."""

from __future__ import annotations

from typing import Literal

from headstart.modalities.strengths import names_of
from headstart.settings import Settings, setting

Kind = Literal["digits", "objects", "photos", "none"]
Ground = Literal["black", "edge", "mirror"]


class Strengths(Settings):
    """How strongly each transform acts: 0 leaves it out, null is what suits the kind of picture.

    A field that ends in `_share` is the share of pictures that its transform touches.
    """

    rotate: float | None = setting(
        None, "at most so many degrees, either way", flag="", least=0, most=180
    )
    shear: float | None = setting(
        None, "at most so much sideways a unit of height", flag="", least=0
    )
    scale: float | None = setting(
        None, "log of the largest zoom, each axis alone", flag="", least=0
    )
    shift: float | None = setting(None, "at most this share of the side", flag="", least=0, most=1)
    crop: float | None = setting(
        None, "at most this share of the area is cut away", flag="", least=0, below=1
    )
    flip: float | None = setting(
        None, "share of pictures mirrored left to right", flag="", least=0, most=1
    )
    elastic: float | None = setting(
        None, "largest wobble, as a share of the side", flag="", least=0, most=1
    )
    brightness: float | None = setting(
        None, "at most so much brighter or darker", flag="", least=0, most=1
    )
    contrast: float | None = setting(
        None, "at most so much more or less contrast", flag="", least=0, most=1
    )
    saturation: float | None = setting(
        None, "at most so much more or less colour", flag="", least=0, most=1
    )
    hue: float | None = setting(
        None, "at most this share of the colour circle", flag="", least=0, most=1
    )
    jitter_share: float | None = setting(
        None, "share whose light and colour change", flag="", least=0, most=1
    )
    grey: float | None = setting(None, "share of pictures made grey", flag="", least=0, most=1)
    solarise: float | None = setting(
        None, "share whose bright half is inverted", flag="", least=0, most=1
    )
    blur: float | None = setting(
        None, "largest deviation, as a share of the side", flag="", least=0, most=1
    )
    blur_share: float | None = setting(None, "share of pictures blurred", flag="", least=0, most=1)
    noise: float | None = setting(
        None, "largest deviation of noise, white being 1", flag="", least=0
    )
    erase: float | None = setting(
        None, "at most this share of the area is erased", flag="", least=0, most=1
    )
    erase_share: float | None = setting(
        None, "share of pictures erased in part", flag="", least=0, most=1
    )


class AugmentConfig(Strengths):
    """What augmentation does to pictures.

    A strength given here holds for weak and strong augmentation; in `strong`, for that alone.
    """

    kind: Literal["auto", "digits", "objects", "photos", "none"] = setting(
        "auto", "which pictures these are like; auto looks at train", flag=""
    )
    ground: Literal["auto", "black", "edge", "mirror"] = setting(
        "auto",
        "what lies beyond the edge: black, the edge drawn out, the picture mirrored",
        flag="",
    )
    strong: Strengths = setting(factory=Strengths)


NAMES = names_of(Strengths)
