"""Recordings to rows of `int16`, with libsndfile; what cannot be read is `Unreadable`.

`hearing` says what a row is. A recording too long for a row is represented by windows spread evenly
over it, and only these are read: an hour takes as little memory as a second. This module imports no
torch: worker processes read with it.
"""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.files import Files, Item, Range, Unreadable, blob, places
from headstart.data.hearing import HEAD, Wave, as_row, lengths, levelled, resampled, row

BLOCK = 2**18  # samples that are read at once, of all channels
RATES = (1_000, 768_000)  # samples a second that a header may tell
SKETCHED = 8_000  # samples a second of what is compared


@dataclass(frozen=True)
class Recording:
    """What a header tells: samples a second, channels, samples, and how they are written."""

    rate: int
    channels: int
    frames: int
    coding: str

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.frames / self.rate


def probe(item: Item) -> Recording:
    """What a recording's header tells; no sound is decoded.

    Raises:
        Unreadable: no recording, nothing in it, truncated, or a header that contradicts itself.
    """
    with _opened(item) as (_, found):
        return found


def decode(
    item: Item,
    *,
    rate: int,
    window: int,
    windows: int,
    level: bool = True,
    trim: float = 40.0,
    pieces: bool = False,
) -> NDArray[np.int16]:
    """One recording as a row `[HEAD + window · windows]`.

    rate, window, windows, level, trim: see `hearing.row`.
    pieces: whether a `Range` means so many samples of a recording, not so many bytes of a file.

    Raises:
        Unreadable: as for `probe`, or some of its samples are no finite numbers.
    """
    if pieces and isinstance(item, Range):
        return _piece(item, rate, window * windows, level=level, trim=trim)
    with _opened(item) as (file, found):
        return row(
            lambda start, count: _read(file, item, start, count), found.frames, found.rate,
            rate=rate, window=window, windows=windows, level=level, trim=trim,
        )  # fmt: skip


def sketches(items: Sequence[Item], side: int) -> tuple[Wave, dict[int, str]]:
    """All recordings small enough to compare: what sounds in `side` bands at `side` moments.

    Returns: roots of power `[N, side · side]`, and why rows could not be read, by their number;
        they are zero.
    """
    out = np.zeros((len(items), side * side), dtype=np.float32)
    bad: dict[int, str] = {}
    for i, item in enumerate(items):
        try:
            row = decode(item, rate=SKETCHED, window=SKETCHED * 10, windows=1, trim=0)
        except Unreadable as error:
            bad[i] = error.reason
            continue
        wave = row[HEAD : HEAD + int(lengths(row[None].astype(np.int64))[0])].astype(np.float32)
        size = max(2 * side, -(-len(wave) // side))
        frames = np.pad(wave, (0, size * side - len(wave))).reshape(side, size)
        power = np.square(np.abs(np.fft.rfft(frames, axis=1)))[:, 1:]  # [side, F]
        bands = np.add.reduceat(power, np.arange(side) * power.shape[1] // side, axis=1)
        out[i] = np.sqrt(bands).ravel()
    return out, bad


def longer_than(files: Files, seconds: float) -> NDArray[np.intp]:
    """Which recordings last longer, by their headers; what cannot be read does not count."""
    found = []
    for i, item in enumerate(files):
        with suppress(Unreadable):
            if probe(item).seconds > seconds:
                found.append(i)
    return np.array(found, dtype=np.intp)


def cut(files: Files, seconds: float) -> Files:
    """Recordings as equal pieces of at most so many seconds, for `decode(pieces=True)`.

    Those up to half as long again stay whole, and so do those whose header cannot be read.
    """
    starts: list[int] = []
    sizes: list[int] = []
    names: list[str] = []
    counts = []
    for item in files:
        try:
            found = probe(item)
        except Unreadable:
            found = Recording(1, 1, 1, "")
        count = 1 if found.seconds < 1.5 * seconds else math.ceil(found.seconds / seconds - 1e-6)
        edges = [found.frames * i // count for i in range(count + 1)]
        whole = count == 1
        starts += [0] if whole else edges[:-1]
        sizes += [0] if whole else [b - a for a, b in pairwise(edges)]
        names += ["whole"] if whole else [f"{a / found.rate:.1f} s" for a in edges[:-1]]
        counts.append(count)
    if len(names) == len(files):
        return files
    paths = [str(item) for item in files]
    stamp = [files.where.stamp, f"{seconds:g}"]
    return Files(
        places(files.where.root, paths, counts, blob(names), stamp=stamp, ranges=(starts, sizes))
    )


def _piece(item: Range, rate: int, room: int, *, level: bool, trim: float) -> NDArray[np.int16]:
    path = Path(item.file)
    if item.size == 0:
        return decode(path, rate=rate, window=room, windows=1, level=level, trim=trim)
    with _opened(path) as (file, found):
        wave = resampled(_read(file, path, item.offset, item.size), found.rate, rate)[:room]
    return as_row(levelled(wave, rate) if level else wave, room)


@contextmanager
def _opened(item: Item) -> Iterator[tuple[Any, Recording]]:
    """An open recording whose header makes sense; whatever goes wrong inside is Unreadable."""
    import soundfile

    try:
        _check_header(item)
        with soundfile.SoundFile(str(item) if isinstance(item, Path) else _bytes(item)) as file:
            found = Recording(file.samplerate, file.channels, file.frames, file.subtype)
            if not RATES[0] <= found.rate <= RATES[1]:
                raise Unreadable(item, f"its header says {found.rate:,} samples a second")
            if found.frames < 1:
                raise Unreadable(item, "there is no sound in it: its length is 0")
            yield file, found
    except Unreadable:
        raise
    # libsndfile's errors, and Python's for files that are not there: all mean the same.
    except Exception as error:
        raise Unreadable(item, _reason(error, item)) from error


def _read(file: Any, item: Item, start: int, count: int) -> Wave:
    """One channel `[count]`, the mean of all.

    Raises:
        Unreadable: the file ends earlier, or holds what is no number.
    """
    file.seek(start)
    wave = np.empty(min(count, file.frames - start), dtype=np.float32)
    for begin in range(0, len(wave), BLOCK):  # of many channels only so much at a time
        part = wave[begin : begin + BLOCK]
        sound = file.read(len(part), dtype="float32", always_2d=True)  # [n, channels]
        if len(sound) < len(part):
            told = f"{start + begin + len(sound):,} of its {file.frames:,} samples"
            raise Unreadable(item, f"truncated: it ends after {told}")
        sound.mean(axis=1, out=part)
    finite = np.isfinite(wave)
    if not finite.all():
        first = start + int(np.argmin(finite))
        raise Unreadable(item, f"sample {first:,} is {wave[first - start]}: no finite number")
    return wave


def _bytes(item: Range) -> io.BytesIO:
    return io.BytesIO(item.read())


def _check_header(item: Item) -> None:
    """What libsndfile lets pass in a WAV file: missing ends, and rates that cannot be.

    Raises:
        Unreadable: the file is empty, ends before its samples do, or tells two rates.
    """
    size = item.stat().st_size if isinstance(item, Path) else item.size
    if size == 0:
        raise Unreadable(item, "the file is empty")
    with item.open("rb") if isinstance(item, Path) else _bytes(item) as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return
        at = 12
        while at + 8 <= size:
            file.seek(at)
            kind, length = struct.unpack("<4sI", file.read(8))
            if kind == b"fmt " and length >= 16:
                coding, _, rate, bytes_, block, _ = struct.unpack("<HHIIHH", file.read(16))
                if coding in (1, 3) and rate * block != bytes_:
                    raise Unreadable(
                        item,
                        f"its header contradicts itself: {rate:,} samples of {block} bytes a second"
                        f" are not {bytes_:,} bytes",
                    )
            if kind == b"data":
                # Programs that write to a pipe leave a size that means: until the end.
                if at + 8 + length > size and length < 0xFFFF_F000:
                    raise Unreadable(
                        item,
                        f"truncated: {max(0, size - at - 8):,} of its {length:,} bytes are there",
                    )
                return
            at += 8 + length + length % 2


def _reason(error: Exception, item: Item) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, OSError) and error.strerror:
        return os.strerror(error.errno) if error.errno else error.strerror
    text = str(error).strip().splitlines()
    said = text[0] if text else type(error).__name__
    if "Format not recognised" in said or "unknown format" in said.lower():
        return "no known format of recordings"
    return said.removeprefix(f"Error opening {str(item)!r}: ")[:200]
