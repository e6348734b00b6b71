"""From sound as a file holds it to a row of `int16`: one rate, one level, silence cut away.

A row is how many samples there are (two numbers, see `lengths`), then the samples, then zeros. This
module needs NumPy alone, and SciPy where rates differ: exported scripts carry a copy of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]

HEAD = 2  # numbers of a row before its samples
WHOLE = 60.0  # seconds up to which a recording is read whole, whatever a row holds
LEVEL = 0.05  # root mean square of what is heard, full scale being 1: 26 dB beneath it
AUDIBLE = 30.0  # decibels beneath the loudest moment that still count as heard
MOMENT = 0.01  # seconds over which loudness is measured
_BASE = 2**15


def row(
    read: Callable[[int, int], Wave],
    frames: int,
    found: int,
    *,
    rate: int,
    window: int,
    windows: int,
    level: bool = True,
    trim: float = 40.0,
) -> NDArray[np.int16]:
    """One recording as a row `[HEAD + window · windows]`.

    read: where to begin and how many samples → so many of one channel, `[n]`.
    frames, found: how many samples the recording has in all, and how many a second.
    rate: samples a second of the row; window: samples that are looked at together, of which a row
        holds `windows`.
    level: whether all recordings are made equally loud.
    trim: decibels beneath the loudest moment at which a beginning or an end counts as silence and
        is cut away; 0 cuts nothing.
    """
    room = window * windows
    if frames / found <= max(WHOLE, 1.5 * room / rate):
        wave = resampled(read(0, frames), found, rate)
        wave = trimmed(wave, rate, trim) if trim else wave
        if len(wave) > room:
            starts = (
                [loudest(wave, window)] if windows == 1 else even_starts(len(wave), window, windows)
            )
            wave = np.concatenate([wave[i : i + window] for i in starts])
    else:
        size = math.ceil(window * found / rate)
        starts = even_starts(frames, size, windows)
        parts = [resampled(read(start, size), found, rate)[:window] for start in starts]
        wave = np.concatenate(parts)
    return as_row(levelled(wave, rate) if level else wave, room)


def even_starts(length: int, window: int, windows: int) -> list[int]:
    """Where so many windows begin that lie evenly over `length` samples, the ends included."""
    if windows == 1:
        return [max(0, (length - window) // 2)]
    return [round(i * (length - window) / (windows - 1)) for i in range(windows)]


def loudest(wave: Wave, window: int) -> int:
    """Where the window with the most power begins."""
    total = np.concatenate([[0.0], np.cumsum(np.square(wave, dtype=np.float64))])
    return int(np.argmax(total[window:] - total[:-window]))


def as_row(wave: Wave, room: int) -> NDArray[np.int16]:
    """Samples `[n]` in -1..1, at most `room` of them, as a row `[HEAD + room]`."""
    row = np.zeros(HEAD + room, dtype=np.int16)
    row[0], row[1] = len(wave) % _BASE, len(wave) // _BASE
    row[HEAD : HEAD + len(wave)] = np.clip(np.round(wave * 32_767), -32_768, 32_767)
    return row


def lengths(rows: Any) -> Any:
    """How many samples each of `[N, HEAD + L]` holds, `[N]`; for arrays and tensors alike."""
    return rows[:, 0] + rows[:, 1] * _BASE


def resampled(wave: Wave, rate: int, wanted: int) -> Wave:
    """Samples `[n]` at another rate, through a filter that keeps what lies above half of it out."""
    if rate == wanted:
        return wave
    from scipy.signal import resample_poly

    # A rate such as 44,101 would need a filter of a million taps; 1 in 1,000 is not heard.
    ratio = Fraction(wanted, rate).limit_denominator(1_000)
    made: Wave = resample_poly(wave, ratio.numerator, ratio.denominator).astype(np.float32)
    return made


def trimmed(wave: Wave, rate: int, decibels: float) -> Wave:
    """Without what is so much softer than the loudest moment at the beginning and the end."""
    loud = np.flatnonzero(_heard(moments(wave, rate), decibels))
    if len(loud) == 0:
        return wave
    step = max(1, round(MOMENT * rate))
    return wave[max(0, int(loud[0]) - 1) * step : (int(loud[-1]) + 2) * step]


def levelled(wave: Wave, rate: int) -> Wave:
    """As loud as all others, by the mean power of what is heard; peaks are kept from clipping."""
    power = moments(wave, rate)
    heard = _heard(power, AUDIBLE)
    if not heard.any():
        return wave
    gain = LEVEL / math.sqrt(float(power[heard].mean()))
    return wave * np.float32(min(gain, 0.999 / float(np.abs(wave).max())))


def moments(wave: Wave, rate: int) -> NDArray[np.float64]:
    """The mean power of each hundredth of a second; a last one that is not full counts whole."""
    step = max(1, round(MOMENT * rate))
    squares = np.square(wave, dtype=np.float64)
    starts = np.arange(0, len(wave), step)
    sizes = np.minimum(step, len(wave) - starts)
    power: NDArray[np.float64] = np.add.reduceat(squares, starts) / sizes
    return power


def _heard(power: NDArray[np.float64], decibels: float) -> NDArray[np.bool_]:
    peak = float(power.max(initial=0.0))
    return power > peak * 10 ** (-decibels / 10) if peak > 0 else np.zeros(len(power), bool)
