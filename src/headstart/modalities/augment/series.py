"""Other series of the same things: moved, stretched, bent, scaled, spoilt. Whole batches at once.

Everything that moves steps is one map from places of the result to places of the series, so that
it is read once. The transforms are those of Um et al., 2017 (doi:10.1145/3136755.3136817) and of
Iwana and Uchida's survey (2021, arXiv:2007.15951).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.modalities.augment.draws import between, chance, rand, randn
from headstart.modalities.strengths import Amounts, names_of
from headstart.settings import Settings, setting

KNOTS = 4  # of the smooth curves that bend time and magnitude
SMOOTH = 2.0  # deviation, in steps, of the bell that correlates `wander`


class SeriesStrengths(Settings):
    """How strongly each transform acts: 0 leaves it out, null is the usual strength."""

    jitter: float | None = setting(None, "deviation of noise, in a channel's own", flag="", least=0)
    wander: float | None = setting(
        None, "the same of noise that neighbours share", flag="", least=0
    )
    scale: float | None = setting(
        None, "each channel at most so much larger or smaller", flag="", least=0
    )
    slope: float | None = setting(
        None, "largest line that is added, at both ends", flag="", least=0
    )
    magnitude: float | None = setting(None, "largest smooth change of the scale", flag="", least=0)
    shift: float | None = setting(
        None, "moved at most this share, the ends held", flag="", least=0, most=1
    )
    roll: float | None = setting(
        None, "moved at most this share, round the ends", flag="", least=0, most=1
    )
    crop: float | None = setting(
        None, "at most this share is cut away, the rest stretched", flag="", least=0, below=1
    )
    warp: float | None = setting(
        None, "largest smooth shift of time, as a share", flag="", least=0, most=1
    )
    mask: float | None = setting(
        None, "one stretch of at most this share is hidden", flag="", least=0, most=1
    )
    drop: float | None = setting(
        None, "share of channels that are hidden", flag="", least=0, most=1
    )
    flip: float | None = setting(
        None, "share of series whose sign is turned", flag="", least=0, most=1
    )
    reverse: float | None = setting(
        None, "share of series that run backwards", flag="", least=0, most=1
    )


class SeriesAugmentConfig(SeriesStrengths):
    """What augmentation does to series.

    A strength given here holds for weak and strong augmentation; in `strong`, for that alone.
    """

    strong: SeriesStrengths = setting(factory=SeriesStrengths)


NAMES = names_of(SeriesStrengths)
WEAK: Amounts = {"jitter": 0.03, "scale": 0.1, "shift": 0.05}
STRONG: Amounts = {
    "jitter": 0.1, "scale": 0.3, "magnitude": 0.2, "crop": 0.4, "warp": 0.05, "mask": 0.2,
    "drop": 0.1,
}  # fmt: skip


def augmented(x: Tensor, there: Tensor | None, amounts: Amounts) -> tuple[Tensor, Tensor | None]:
    """Another series of each thing.

    x: normalised values `[B, C, T]`. there: 1 where they were measured, `[B, C, T]`; None where
        all were. Returns both, moved alike.
    """
    ends = lengths(x, there)
    places = moved_places(x, ends, amounts)
    if places is not None:
        x = read_at(x, places)
        there = None if there is None else (read_at(there, places, linear=True) > 0.5).to(x.dtype)
    x = changed(x, amounts)
    hidden = hidden_part(x, amounts)
    if hidden is not None:
        x = x.masked_fill(hidden, 0.0)
        there = None if there is None else there.masked_fill(hidden, 0.0)
    if there is not None:  # nothing is after the end
        step = torch.arange(x.shape[2], device=x.device)
        x = x.masked_fill((step >= ends[:, None])[:, None], 0.0)
    return x, there


def moved_places(x: Tensor, ends: Tensor, amounts: Amounts) -> Tensor | None:
    """Which place of each series every step of the result is read at, `[B, T]`; None: its own.

    ends: steps of each, `[B]`.
    """
    names = ("shift", "roll", "crop", "warp", "reverse")
    if not any(amounts[name] for name in names):
        return None
    b, _, t = x.shape
    step = torch.arange(t, device=x.device, dtype=x.dtype).expand(b, t)
    last = (ends - 1).to(x.dtype)[:, None]  # [B, 1], at least 1
    place = step
    if amounts["crop"]:
        size = 1 - amounts["crop"] * rand(b, device=x.device)[:, None]
        place = place * size + rand(b, device=x.device)[:, None] * (1 - size) * last
    if amounts["warp"]:
        place = (
            place + last * smooth_curve(x[:, :1], between_knots(x[:, :1], amounts["warp"]))[:, 0]
        )
    if amounts["shift"]:  # whole steps: what lies between two is an average, and has less noise
        place = place + (between(b, amounts["shift"], x.device)[:, None] * last).round()
    if amounts["reverse"]:
        place = torch.where(chance(b, amounts["reverse"], x.device)[:, None], last - place, place)
    place = torch.minimum(place.clamp(min=0), last)
    if amounts["roll"]:
        by = (between(b, amounts["roll"], x.device)[:, None] * (last + 1)).round()
        place = torch.where(step <= last, (place + by) % (last + 1), place)
        place = torch.minimum(place, last)  # halfway from the last to the first is no place
    return torch.where(step <= last, place, step)


def changed(x: Tensor, amounts: Amounts) -> Tensor:
    """`[B, C, T]` with other values in the same places."""
    b, c, t = x.shape
    factor = x.new_ones(b, c, 1)
    if amounts["scale"]:
        factor = factor * (1 + between(b * c, amounts["scale"], x.device).view(b, c, 1))
    if amounts["flip"]:
        factor = factor * (1 - 2 * chance(b, amounts["flip"], x.device).to(x.dtype)).view(b, 1, 1)
    if amounts["magnitude"]:
        factor = factor * (1 + smooth_curve(x, between_knots(x, amounts["magnitude"])))
    x = x * factor
    if amounts["slope"]:
        line = torch.linspace(-1, 1, t, device=x.device, dtype=x.dtype)
        x = x + between(b * c, amounts["slope"], x.device).view(b, c, 1) * line
    if amounts["wander"]:
        x = x + amounts["wander"] * wander_like(x)
    if amounts["jitter"]:
        x = x + amounts["jitter"] * randn(b, c, t, device=x.device)
    return x


def hidden_part(x: Tensor, amounts: Amounts) -> Tensor | None:
    """What is hidden of each series, booleans `[B, C, T]`; None where nothing is."""
    b, c, t = x.shape
    if not (amounts["mask"] or (amounts["drop"] and c > 1)):
        return None
    hidden = torch.zeros(b, c, t, dtype=torch.bool, device=x.device)
    if amounts["mask"]:
        size = amounts["mask"] * t * rand(b, device=x.device)[:, None]
        start = rand(b, device=x.device)[:, None] * (t - size)
        step = torch.arange(t, device=x.device)
        hidden |= ((step >= start) & (step < start + size))[:, None]
    if amounts["drop"] and c > 1:  # an only channel stays
        lot = rand(b, c, device=x.device)
        kept = lot >= torch.minimum(lot.amax(dim=1, keepdim=True), lot.new_tensor(amounts["drop"]))
        hidden |= ~kept[:, :, None]
    return hidden


def lengths(x: Tensor, there: Tensor | None) -> Tensor:
    """Steps of each series `[B, C, T]` up to the last that was measured: `[B]`, at least 2."""
    t = x.shape[2]
    if there is None:
        return torch.full((len(x),), t, device=x.device)
    step = torch.arange(1, t + 1, device=x.device)
    return (there.amax(dim=1) * step).amax(dim=1).clamp(min=2)


def read_at(x: Tensor, places: Tensor, *, linear: bool = False) -> Tensor:
    """Values of `[B, C, T]` at `places` `[B, T']`, between steps by a cubic (Catmull-Rom).

    A straight line would smooth: moved series would be quieter than those that are judged.
    """
    low = places.floor()
    part = (places - low)[:, None]  # [B, 1, T']
    low = low.long()
    around = [_picked(x, low + i) for i in ((0, 1) if linear else (-1, 0, 1, 2))]
    if linear:
        return around[0] + part * (around[1] - around[0])
    a, b, c, d = around
    return b + 0.5 * part * (
        c - a + part * (2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a))
    )


def _picked(x: Tensor, index: Tensor) -> Tensor:
    index = index.clamp(0, x.shape[2] - 1)[:, None].expand(-1, x.shape[1], -1)
    return x.gather(2, index)


def between_knots(x: Tensor, limit: float) -> Tensor:
    """Values of a random curve at its knots: `[B, C, K]` within -limit..limit."""
    b, c = x.shape[:2]
    return between(b * c * KNOTS, limit, x.device).view(b, c, KNOTS)


def smooth_curve(x: Tensor, knots: Tensor) -> Tensor:
    """`[B, C, K]` → a smooth curve through them, `[B, C, T]` as long as `x`."""
    place = torch.linspace(0, KNOTS - 1, x.shape[2], device=x.device, dtype=x.dtype)
    return read_at(knots, place.expand(len(x), -1))


def wander_like(x: Tensor) -> Tensor:
    """Noise `[B, C, T]` of deviation 1 whose neighbouring steps are alike."""
    b, c, t = x.shape
    reach = round(3 * SMOOTH)
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=x.device) / SMOOTH) ** 2)
    bell = (bell / bell.square().sum().sqrt()).view(1, 1, -1)
    noise = randn(b, c, t + 2 * reach, device=x.device).view(b * c, 1, -1)
    return F.conv1d(noise, bell).view(b, c, t)
