"""Series of numbers: `float32 [N, C, T]`, NaN where nothing was measured; normalised as batches.

Where train has missing values, or series of many lengths, every channel gets a second one that
says what was measured (`Spec.flagged`), and what was not is filled in: by a line between what lies
beside it, by 0 after the end of a series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.data.dataset import Samples
from headstart.data.mapped import Mapped
from headstart.data.series import pieces, steps
from headstart.errors import UserError
from headstart.modalities.augment.series import (
    STRONG,
    WEAK,
    SeriesAugmentConfig,
    augmented,
)
from headstart.modalities.base import Strength
from headstart.modalities.strengths import Amounts, amounts_of
from headstart.settings import Settings, setting
from headstart.types import Spec

FEWEST_STEPS = 2  # of a series: one value has no course
Normalise = Literal["channel", "series", "none"]


class SeriesConfig(Settings):
    """How series become tensors."""

    length: int | None = setting(
        None,
        "steps that are read, the rest is cut off; by default all of the longest of train",
        flag="",
        least=FEWEST_STEPS,
    )
    normalise: Normalise = setting(
        "channel",
        "channel: by the mean and deviation of train; series: by each series' own; or none",
        flag="",
    )
    missing: bool | None = setting(
        None, "whether values may be missing and lengths differ; by default where train has such",
        flag="",
    )  # fmt: skip
    augment: SeriesAugmentConfig = setting(factory=SeriesAugmentConfig)


class Series:
    """See `base.Modality`.

    length: T. flagged: see `Spec`. cuts: whether longer series may be cut. amounts: by strength.
    channels: their names, where train has any.
    """

    default_backbone: ClassVar[str] = "tcn"
    default_objective: ClassVar[str] = "simclr"
    other_backbones: ClassVar[tuple[str, ...]] = ("patchts",)  # for objectives that need such
    Config: ClassVar[type[Settings]] = SeriesConfig

    def __init__(
        self,
        mean: list[float],
        std: list[float],
        length: int,
        normalise: Normalise,
        *,
        flagged: bool,
        cuts: bool,
        amounts: dict[Strength, Amounts],
        channels: Sequence[str] | None = None,
    ) -> None:
        self.mean, self.std, self.length, self.normalise = mean, std, length, normalise
        self.flagged, self.cuts, self.amounts = flagged, cuts, amounts
        self.channels = None if channels is None else list(channels)
        self._mean = torch.tensor(mean).view(-1, 1)
        self._std = torch.tensor(std).view(-1, 1)
        self.notes: Sequence[str] = ()

    @classmethod
    def fit(cls, train: Samples, config: SeriesConfig) -> Series:
        """Learn how long series are, whether values are missing, and each channel's scale.

        Raises:
            UserError: a channel holds nothing, or a setting is out of range.
        """
        scan = _scanned(train)
        length = config.length or int(scan.steps.max(initial=FEWEST_STEPS))
        whole = int(scan.steps.min()) >= length
        missing = not whole or int(scan.values.sum()) < int(scan.steps.sum()) * len(scan.mean)
        if missing and config.missing is False:
            raise UserError(
                "setting 'modality.missing' is false, and train has missing values or series of"
                " different lengths."
            )
        if (scan.values == 0).any():
            raise UserError(
                f"channel {int((scan.values == 0).argmax())} of train holds no value at all."
            )
        mean, std = [0.0] * len(scan.mean), [1.0] * len(scan.mean)
        if config.normalise == "channel":
            mean, std = scan.mean.tolist(), scan.std.tolist()
        series = cls(
            mean,
            std,
            length,
            config.normalise,
            flagged=missing if config.missing is None else config.missing,
            cuts=config.length is not None,
            amounts=amounts_of(config.augment, WEAK, STRONG),
            channels=train.channels,
        )
        series.notes = _notes(series, scan)
        return series

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Series:
        """What `state()` described."""
        return cls(
            list(state["mean"]),
            list(state["std"]),
            int(state["length"]),
            state["normalise"],
            flagged=bool(state["flagged"]),
            cuts=bool(state["cuts"]),
            amounts={"weak": dict(state["weak"]), "strong": dict(state["strong"])},
            channels=state.get("channels"),  # a run of before channels had names knows none
        )

    def augmented_by(self, augment: SeriesAugmentConfig, train: Samples) -> Series:  # noqa: ARG002 - by settings alone
        """See `base.Augmentable`."""
        amounts = amounts_of(augment, WEAK, STRONG)
        weak, strong = amounts["weak"], amounts["strong"]
        return Series.from_state({**self.state(), "weak": weak, "strong": strong})

    def state(self) -> dict[str, Any]:
        """Everything fitted, as JSON can hold it."""
        return {
            "modality": "series",
            "mean": self.mean,
            "std": self.std,
            "length": self.length,
            "normalise": self.normalise,
            "flagged": self.flagged,
            "cuts": self.cuts,
            "weak": self.amounts["weak"],
            "strong": self.amounts["strong"],
            "channels": self.channels,
        }

    @property
    def spec(self) -> Spec:
        """`(C, T)`, or `(2·C, T)` with what was measured; unbounded."""
        channels = len(self.mean) * (2 if self.flagged else 1)
        return Spec("continuous", (channels, self.length), flagged=self.flagged)

    def tensor(self, samples: Samples, *, on_bad: str = "fail") -> tuple[Tensor, list[int]]:
        """`float32 [N, C, T]` as measured, NaN elsewhere, and the rows that are no series.

        Raises:
            UserError: other channels or lengths than train's, a value missing where none was in
                train, or a series of fewer than two steps that `on_bad` does not skip.
        """
        x = self._in_order(_array(samples), samples.channels)
        if x.shape[1] != len(self.mean):
            raise UserError(
                f"series of {_counted(len(self.mean), 'channel')} were expected; these have"
                f" {x.shape[1]:,}.",
                "Give the channels of train, in their order.",
            )
        counts = steps(x)
        short = np.flatnonzero(counts < FEWEST_STEPS).tolist()
        if short and (on_bad == "fail" or len(short) == len(x)):
            more = f" ({len(short):,} of {len(x):,} are like this)" if short[1:] else ""
            has = _counted(int(counts[short[0]]), "step")
            raise UserError(
                f"series {samples.name(short[0])} has {has}{more};"
                f" at least {FEWEST_STEPS} are needed.",
                "Mend or remove it, or pass --on-bad skip to go on without it.",
            )
        if not self.cuts and int(counts.max(initial=0)) > self.length:
            row = int(counts.argmax())
            raise UserError(
                f"series {samples.name(row)} has {int(counts[row]):,} steps; the longest of train"
                f" has {self.length:,}.",
                "Cut it, or train with --set modality.length=... to have series cut there.",
            )
        out = np.full((*x.shape[:2], self.length), np.nan, dtype=np.float32)
        width = min(self.length, x.shape[2])
        out[:, :, :width] = x[:, :, :width]
        if not self.flagged:
            self._refuse_missing(out, samples, short)
        return torch.from_numpy(out), short

    def _in_order(self, x: NDArray[np.float32], names: Sequence[str] | None) -> NDArray[np.float32]:
        """The channels of train, found by name, and in its order.

        Where no name is the same, channels of as many others stand in their places: sensors of
        another make.

        Raises:
            UserError: some of them are there, and others are missing.
        """
        wanted = self.channels
        if wanted is None or names is None:
            return x
        if len(wanted) == len(names) and not set(wanted) & set(names):
            return x
        missing = [name for name in wanted if name not in names]
        if missing:
            raise UserError(
                f"these series have no channel '{missing[0]}', which was learned from; they have"
                f" {', '.join(names)}.",
                "Name the channels as they were then; their order does not matter.",
            )
        index = [list(names).index(name) for name in wanted]
        return x if index == list(range(x.shape[1])) else x[:, index]

    def _refuse_missing(self, x: NDArray[np.float32], samples: Samples, short: list[int]) -> None:
        gone: NDArray[np.bool_] = np.any(np.isnan(x), axis=(1, 2))
        gone[short] = False
        if gone.any():
            row = int(gone.argmax())
            step = int(np.isnan(x[row]).any(axis=0).argmax())
            raise UserError(
                f"series {samples.name(row)} has no value at step {step}; all of train have"
                f" {self.length:,} steps and none is missing.",
                "Fill it in, or train with --set modality.missing=true.",
            )

    @property
    def decoding(self) -> None:
        """Series come decoded."""
        return None

    def prepare(self, x: Tensor) -> Tensor:
        """`[B, C, T]` with NaN → normalised and filled, `[B, C or 2·C, T]`."""
        values, there = self._prepared(x)
        return values if there is None else torch.cat([values, there], dim=1)

    def augment(self, x: Tensor, strength: Strength = "weak") -> Tensor:
        """Other series of the same things, as `augment.series` makes them."""
        values, there = augmented(*self._prepared(x), self.amounts[strength])
        return values if there is None else torch.cat([values, there], dim=1)

    def _prepared(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        if x.device != self._mean.device:
            self._mean, self._std = self._mean.to(x.device), self._std.to(x.device)
        if self.normalise == "series":
            x = by_itself(x)
        elif self.normalise == "channel":
            x = (x - self._mean) / self._std
        if not self.flagged:
            return x, None
        there = ~x.isnan()
        return filled(x, there), there.to(x.dtype)

    def describe(self, x: Tensor) -> None:  # noqa: ARG002 - the face
        """Nothing is known of series in general."""
        return


def filled(x: Tensor, there: Tensor) -> Tensor:
    """`[B, C, T]` with a line through what is missing between two values; held at the ends.

    there: what was measured. After the last step that any channel has, and in a channel that has
    none, stands 0.
    """
    t = x.shape[2]
    step = torch.arange(t, device=x.device).expand_as(x)
    before = running_max(step.masked_fill(~there, -1))
    after = -running_max(-step.masked_fill(~there, t).flip(2)).flip(2)
    known = x.masked_fill(~there, 0.0)
    low = torch.where(before < 0, after, before).clamp(0, t - 1)
    high = torch.where(after >= t, before, after).clamp(0, t - 1)
    part = (step - low) / (high - low).clamp(min=1)
    line = torch.lerp(known.gather(2, low), known.gather(2, high), part.to(x.dtype))
    anything = there.any(dim=1, keepdim=True).flip(2).cumsum(dim=2).flip(2) > 0
    return torch.where(there, x, line).masked_fill(~anything, 0.0)


def running_max(x: Tensor) -> Tensor:
    """The largest so far along the last dimension, in steps that exported graphs have too."""
    reach = 1
    while reach < x.shape[-1]:
        x = torch.cat([x[..., :reach], torch.maximum(x[..., reach:], x[..., :-reach])], dim=-1)
        reach *= 2
    return x


def by_itself(x: Tensor) -> Tensor:
    """`[B, C, T]` less each series' own mean, by its own deviation, channel by channel."""
    x = x - x.nanmean(dim=2, keepdim=True)
    return x / x.square().nanmean(dim=2, keepdim=True).sqrt().clamp(min=1e-6)


def _array(samples: Samples) -> NDArray[np.float32]:
    if isinstance(samples.inputs, Mapped):
        return samples.inputs.read()
    array = np.asarray(samples.inputs, dtype=np.float32)
    if array.ndim != 3:
        raise UserError(
            f"series [N, C, T] were expected; these samples have shape {list(array.shape)}."
        )
    return array


@dataclass(frozen=True)
class _Scan:
    """What one reading of train finds: steps of each series `[N]`; of each channel how many
    values, their mean and deviation `[C]`."""

    steps: NDArray[np.intp]
    values: NDArray[np.int64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]


def _scanned(train: Samples) -> _Scan:
    """Piece by piece: train may lie on disk."""
    inputs = train.inputs if isinstance(train.inputs, Mapped) else _array(train)
    ends, values, total, squares, centre = [], 0, 0, 0, None
    for piece in pieces(inputs):
        ends.append(steps(piece))
        there = ~np.isnan(piece)
        if centre is None:  # far from 0, the difference of two large sums would be noise
            first = np.where(there, piece, 0).astype(np.float64).sum(axis=(0, 2))
            centre = first / np.maximum(there.sum(axis=(0, 2)), 1)
        left = np.where(there, piece - centre[:, None], 0)
        values = values + there.sum(axis=(0, 2))
        total = total + left.sum(axis=(0, 2))
        squares = squares + (left**2).sum(axis=(0, 2))
    known = np.maximum(values, 1)
    std = np.sqrt(np.maximum(squares / known - (total / known) ** 2, 0))
    std[std < 1e-12] = 1.0  # a constant channel carries nothing; leave it at zero
    return _Scan(np.concatenate(ends), np.asarray(values), centre + total / known, std)


def _notes(series: Series, scan: _Scan) -> list[str]:
    channels = _counted(len(series.mean), "channel")
    if not series.flagged:
        return [f"series of {channels}, {series.length:,} steps each"]
    share = 1 - scan.values.sum() / max(1, int(scan.steps.sum()) * len(series.mean))
    counts = scan.steps
    notes = [
        f"series of {channels}, {int(counts.min()):,} to {int(counts.max()):,} steps"
        f" ({counts.mean():.0f} on average); {share:.1%} of their values are missing"
    ]
    if (longer := int((counts > series.length).sum())) > 0:
        notes.append(f"{longer:,} series are longer than {series.length:,} steps and are cut there")
    return notes


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
