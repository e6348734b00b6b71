"""How recordings are read: at which rate, in windows of which length, how many of each."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headstart.data import recordings
from headstart.data.decoding import Decoding
from headstart.data.files import Files, Unreadable
from headstart.data.hearing import HEAD
from headstart.data.recordings import Recording
from headstart.errors import UserError

if TYPE_CHECKING:
    from headstart.modalities.audio import AudioConfig

PROBED = 2_000  # recordings whose headers are read, to tell rate and length
FASTEST = 16_000  # samples a second that are kept where nothing else is asked for: speech's
LONGEST_WINDOW = 5.0  # seconds
MOST_WINDOWS = 8
USUAL_LENGTH = 0.99  # share of recordings that one window should hold
GRID = 8  # frames: windows are whole multiples, so that halving leaves nothing over


@dataclass(frozen=True)
class Reading:
    """How recordings are read: `recordings.decode`'s arguments, in samples."""

    rate: int
    window: int
    windows: int
    level: bool
    trim: float
    pieces: bool = False

    @property
    def decoding(self) -> Decoding:
        """As worker processes are told it."""
        shape = (HEAD + self.window * self.windows,)
        return Decoding("headstart.data.recordings:decode", vars(self).copy(), shape, "int16")


def probed(files: Files) -> list[Recording]:
    """The headers of some recordings.

    Raises:
        UserError: not one can be read.
    """
    some = np.sort(np.random.default_rng(0).permutation(len(files))[:PROBED])
    found, reason = [], ""
    for i in some:
        try:
            found.append(recordings.probe(files[int(i)]))
        except Unreadable as error:
            reason = reason or f" {files[int(i)]}: {error.reason}."
    if not found:
        raise UserError(f"not one recording of the train split can be read.{reason}")
    return found


def reading_of(found: list[Recording], config: AudioConfig) -> Reading:
    """What the settings ask for, or else what suits recordings such as were found."""
    common = Counter(one.rate for one in found).most_common(1)[0][0]
    rate = config.rate or min(common, FASTEST)
    seconds = np.array([one.seconds for one in found])
    usual = float(np.quantile(seconds, USUAL_LENGTH))
    window = config.window or min(max(usual, GRID * config.hop), LONGEST_WINDOW)
    grid = GRID * hop_of(config, rate)
    samples = math.ceil(window * rate / grid - 1e-6) * grid
    needed = math.ceil(float(seconds.max()) * rate / samples)
    windows = config.windows or min(MOST_WINDOWS, max(1, needed))
    return Reading(rate, samples, windows, config.level, config.trim)


def hop_of(config: AudioConfig, rate: int) -> int:
    """Samples between two columns of a map."""
    return max(1, round(config.hop * rate))


def notes_of(reading: Reading, found: list[Recording]) -> list[str]:
    """What a user should know of it: lengths, other rates, what is not looked at."""
    seconds = np.array([one.seconds for one in found])
    rates = Counter(one.rate for one in found)
    rates.pop(reading.rate, None)
    window = reading.window / reading.rate
    notes = [
        f"recordings: {np.median(seconds):.2f} s each (median), the longest {seconds.max():,.2f} s;"
        f" {reading.rate:,} samples a second, windows of {window:.2f} s"
    ]
    if rates:
        others = ", ".join(f"{count:,} at {rate:,}" for rate, count in rates.most_common(3))
        notes.append(f"recordings with other rates are resampled: {others}")
    if (longer := int((seconds > window * reading.windows).sum())) > 0:
        notes.append(
            f"{longer:,} of {len(found):,} recordings are longer than {reading.windows} windows;"
            " where whole recordings are read, windows spread over them are (modality.windows)"
        )
    return notes
