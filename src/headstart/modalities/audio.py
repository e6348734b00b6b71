"""Recordings: rows of `int16` samples, as log-mel maps or as waves, in whole batches."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from headstart.data import recordings
from headstart.data.dataset import Samples
from headstart.data.decoding import Decoding
from headstart.data.files import Files
from headstart.data.hearing import HEAD, LEVEL, lengths
from headstart.data.streamed import Reader, read_resident
from headstart.errors import UserError
from headstart.modalities.base import Strength
from headstart.modalities.sound import Augmentation, AugmentConfig, LogMel, choose
from headstart.modalities.sound.reading import Reading, hop_of, notes_of, probed, reading_of
from headstart.settings import Faults, Settings, resolve, setting
from headstart.types import Spec

MEASURED = 2_000  # recordings from which statistics are taken
FLOOR = 1e-4  # of power; at the common level about 60 dB beneath a vowel's peak
CHUNK = 256
MOMENTS = 10  # at which recordings are compared without a network

Freed = Literal["nothing", "mean", "both"]


class AudioConfig(Settings):
    """How recordings become tensors."""

    features: Literal["mel", "wave"] = setting("mel", "log-mel maps, or the waves themselves")
    rate: int | None = setting(
        None,
        "samples a second; by default as found, at most 16,000",
        flag="",
        least=1_000,
        most=192_000,
    )
    window: float | None = setting(
        None,
        "seconds looked at together; by default what holds 99 of 100, at most 5",
        flag="",
        least=0.05,
        most=60,
    )
    windows: int | None = setting(
        None,
        "windows of a recording that are read; by default all, at most 8",
        flag="",
        least=1,
        most=10_000,
    )
    mels: int | None = setting(
        None, "bands of pitch; by default 40 to 8 kHz, else 64", flag="", least=4, most=256
    )
    frame: float = setting(
        0.025, "seconds that a column of the map looks at", flag="", least=0.002, most=1
    )
    hop: float = setting(0.01, "seconds between columns", flag="", least=0.001, most=1)
    floor: float = setting(
        FLOOR, "power beneath which nothing is told apart", flag="", least=1e-12, most=1
    )
    level: bool = setting(True, "make all recordings equally loud", flag="")
    trim: float = setting(
        40.0,
        "decibels beneath the loudest that count as silence at the ends; 0 keeps it",
        flag="",
        least=0,
        most=200,
    )
    freed: Freed = setting(
        "nothing",
        "what each band is freed of, recording by recording: its mean (a microphone's colour), or"
        " both mean and deviation",
        flag="",
    )
    augment: AugmentConfig = setting(factory=AugmentConfig)


@dataclass(frozen=True)
class Statistics:
    """Of what train looks like: mean and deviation of each band, the largest normalised value."""

    mean: list[float]
    std: list[float]
    high: float


class Audio:
    """See `base.Modality`."""

    default_backbone: ClassVar[str] = "audioconv"
    default_objective: ClassVar[str] = "simclr"
    Config: ClassVar[type[Settings]] = AudioConfig

    def __init__(
        self,
        reading: Reading,
        config: AudioConfig,
        augmentation: Augmentation,
        statistics: Statistics,
    ) -> None:
        """config: with `mels` decided."""
        assert config.mels is not None
        self.reading, self.config = reading, config
        self.augmentation, self.statistics = augmentation, statistics
        self.notes: Sequence[str] = ()
        rate = reading.rate
        self.hop = hop_of(config, rate)
        self.log_mel = LogMel(rate, config.mels, round(config.frame * rate), self.hop, config.floor)
        self._mean = torch.tensor(statistics.mean).view(-1, 1)
        self._std = torch.tensor(statistics.std).view(-1, 1)
        # Behind the end lies what is softer than any silence: networks can tell where it begins.
        self.low = float(((math.log(config.floor) - self._mean) / self._std).min()) - 0.25
        if config.freed != "nothing":
            self.low = min(self.low, -8.0)

    @classmethod
    def fit(cls, train: Samples, config: AudioConfig) -> Audio:
        """Learn rate, lengths and statistics from train.

        Raises:
            UserError: not one recording can be read, or a setting is out of range.
        """
        assert isinstance(train.inputs, Files)
        found = probed(train.inputs)
        reading = reading_of(found, config)
        mels = config.mels or (40 if reading.rate <= 8_000 else 64)
        config = replace(config, mels=mels)
        augmentation = Augmentation(
            config.augment.kind, reading.rate, reading.window, choose(config.augment)
        )
        blank = Statistics([0.0] * mels, [1.0] * mels, 1.0)
        made = cls(reading, config, augmentation, blank)
        made = cls(reading, config, augmentation, _statistics(made, train))
        made.notes = notes_of(reading, found)
        return made

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Audio:
        """What `state()` described."""
        reading = Reading(**state["reading"])
        faults = Faults()
        config = resolve(AudioConfig, state["features"], faults, "features")
        faults.raise_if_any()
        assert config is not None
        augmentation = Augmentation.from_state(state["augment"], reading.rate, reading.window)
        statistics = Statistics(state["mean"], state["std"], state["high"])
        return cls(reading, config, augmentation, statistics)

    def augmented_by(self, augment: AugmentConfig, train: Samples) -> Audio:  # noqa: ARG002 - by settings alone
        """See `base.Augmentable`."""
        reading = self.reading
        chosen = Augmentation(augment.kind, reading.rate, reading.window, choose(augment))
        return Audio(reading, self.config, chosen, self.statistics)

    def state(self) -> dict[str, Any]:
        """Everything fitted, as JSON can hold it."""
        names = ("features", "mels", "frame", "hop", "floor", "freed")
        return {
            "modality": "audio",
            "reading": vars(self.reading).copy(),
            "features": {name: getattr(self.config, name) for name in names},
            "mean": self.statistics.mean,
            "std": self.statistics.std,
            "high": self.statistics.high,
            "augment": self.augmentation.state(),
        }

    @property
    def spec(self) -> Spec:
        """`(1, M, T)` for maps, bounded; `(1, L)` for waves."""
        if self.config.features == "wave":
            shape: tuple[int, ...] = (1, self.reading.window)
            return Spec(
                "continuous",
                shape,
                empty=0.0,
                windows=self.reading.windows,
                step=1 / self.reading.rate,
            )
        shape = (1, len(self.statistics.mean), self.reading.window // self.hop)
        return Spec(
            "continuous",
            shape,
            low=self.low,
            high=self.statistics.high,
            empty=self.low,
            windows=self.reading.windows,
            step=self.hop / self.reading.rate,
        )

    @property
    def decoding(self) -> Decoding:
        """See `base.Modality`."""
        return self.reading.decoding

    def by_window(self) -> Audio:
        """See `base.Windowed`."""
        other = copy.copy(self)
        other.reading = replace(self.reading, windows=1, pieces=True)
        return other

    def pieces(self, samples: Samples) -> Samples:
        """See `base.Windowed`."""
        assert isinstance(samples.inputs, Files)
        files = recordings.cut(samples.inputs, self.reading.window / self.reading.rate)
        return samples if files is samples.inputs else Samples(files)

    def note_lengths(self, train: Samples) -> None:
        """See `base.Windowed`."""
        assert isinstance(train.inputs, Files)
        self.notes = notes_of(self.reading, probed(train.inputs))

    def cut_short(self, samples: Samples) -> NDArray[np.intp]:
        """See `base.Windowed`: by the seconds that headers tell."""
        assert isinstance(samples.inputs, Files)
        held = self.reading.window * self.reading.windows / self.reading.rate
        return recordings.longer_than(samples.inputs, held)

    def tensor(self, samples: Samples, *, on_bad: str = "fail") -> tuple[Tensor, list[int]]:
        """`int16 [N, HEAD + L]`, and the rows that could not be read (all zero).

        Raises:
            UserError: a recording cannot be read and `on_bad` is "fail", or none can be.
        """
        assert isinstance(samples.inputs, Files)
        with closing(Reader(samples.inputs, self.decoding)) as reader:
            x, bad = read_resident(samples.inputs, reader, on_bad)
        return x, list(bad)

    def prepare(self, x: Tensor) -> Tensor:
        """`int16 [B, HEAD + L]` → normalised maps `[B, 1, M, W·T]`, or waves `[B, 1, W·L]`.

        W windows, as many as the longest of the batch needs.
        """
        return self._seen(*self._waves(x), None)

    def augment(self, x: Tensor, strength: Strength = "weak") -> Tensor:
        """Another recording of each thing, as `augmentation` makes it; else as `prepare`."""
        waves, ends = self._waves(x)
        return self._seen(*self.augmentation.waves(waves, ends, strength), strength)

    def describe(self, x: Tensor) -> Tensor:
        """What sounds when: the map at `MOMENTS` moments of each recording, `[B, M · MOMENTS]`."""
        maps, frames = self.raw_maps(x)
        rows = []
        for one, end in zip(maps, frames.clamp(min=1).tolist(), strict=True):
            plain = (one[:, :end] - self._mean) / self._std  # [M, t]
            rows.append(F.adaptive_avg_pool1d(plain[None], MOMENTS)[0].flatten())
        return F.normalize(torch.stack(rows), dim=1)

    def brightness(self, x: Tensor) -> Tensor:
        """See `base.Drawn`: maps `[B, 1, M, T]`, high pitches above."""
        share = (x.float().cpu() - self.low) / (self.statistics.high - self.low)
        return share.clamp(0, 1).flip(2)

    @torch.no_grad()
    def heard(self, x: Tensor, strength: Strength | None = None) -> list[Tensor]:
        """The waves of `int16 [B, HEAD + L]`, each as long as it is; augmented where asked."""
        waves, ends = self._waves(x)
        if strength is not None:
            waves, ends = self.augmentation.waves(waves, ends, strength)
        return [wave[:end] for wave, end in zip(waves, ends.tolist(), strict=True)]

    def raw_maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`int16 [B, HEAD + L]` → log-mel maps `[B, M, T]` as they are, and their frames `[B]`."""
        waves, ends = self._waves(x)
        return self.log_mel(waves), self._frames(ends)

    def _waves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Rows → waves in -1..1 `[B, W · window]` and where each ends, `[B]`."""
        ends = lengths(x[:, :HEAD].long())
        window = self.reading.window
        if torch.compiler.is_exporting():  # one graph for every batch: all windows
            return x[:, HEAD : HEAD + self.reading.windows * window].float() / 32_767, ends
        count = max(1, -(-int(ends.max()) // window)) if x.shape[0] else 1
        return x[:, HEAD : HEAD + count * window].float() / 32_767, ends

    def _frames(self, ends: Tensor) -> Tensor:
        return (ends + self.hop - 1) // self.hop

    def _seen(self, waves: Tensor, ends: Tensor, strength: Strength | None) -> Tensor:
        if self.config.features == "wave":
            return (waves / LEVEL).unsqueeze(1)
        if self._mean.device != waves.device:
            self._mean, self._std = self._mean.to(waves.device), self._std.to(waves.device)
        maps = self.log_mel(waves)  # [B, M, W·T]
        if strength is not None:
            maps = self.augmentation.warp(maps, strength)
        frames = self._frames(ends)
        there = torch.arange(maps.shape[2], device=maps.device) < frames[:, None]  # [B, W·T]
        maps = (self._free(maps, there) - self._mean) / self._std
        if strength is not None:
            maps = self.augmentation.mask(maps, frames, strength)
        maps = maps.clamp(self.low, self.statistics.high)
        return torch.where(there[:, None], maps, self.low).unsqueeze(1)

    def _free(self, maps: Tensor, there: Tensor) -> Tensor:
        """`[B, M, T]` less what `freed` names, taken over the frames that are there."""
        if self.config.freed == "nothing":
            return maps
        weight = there[:, None] / there.sum(1).clamp(min=1)[:, None, None]  # [B, 1, T]
        mean = (maps * weight).sum(2, keepdim=True)
        if self.config.freed == "mean":
            return maps - mean
        square = ((maps - mean).square() * weight).sum(2, keepdim=True)
        return (maps - mean) / (square + 0.1).sqrt()


def _statistics(audio: Audio, train: Samples) -> Statistics:
    """Mean and deviation of each band over all frames of some recordings.

    Raises:
        UserError: not one recording can be read.
    """
    some = train.take(np.sort(np.random.default_rng(1).permutation(len(train))[:MEASURED]))
    total = squares = torch.zeros(0)
    count, top = 0, torch.zeros(0)
    for start in range(0, len(some), CHUNK):
        part = some.take(np.arange(start, min(start + CHUNK, len(some))))
        x, bad = audio.by_window().tensor(part, on_bad="count")
        x = x[np.setdiff1d(np.arange(len(x)), bad)]
        if len(x) == 0:
            continue
        maps, frames = audio.raw_maps(x)
        there = torch.arange(maps.shape[2]) < frames[:, None]
        columns = audio._free(maps, there).transpose(1, 2)[there].double()  # [frames, M]
        total = total + columns.sum(0) if count else columns.sum(0)
        squares = squares + columns.square().sum(0) if count else columns.square().sum(0)
        top = torch.maximum(top, columns.amax(0)) if count else columns.amax(0)
        count += len(columns)
    if count == 0:
        raise UserError("not one recording of the train split can be read.")
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt().clamp(min=0.5)
    high = float(((top - mean) / std).max()) + 0.5
    return Statistics(mean.tolist(), std.tolist(), high)
