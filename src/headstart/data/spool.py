"""Decoded samples kept on disk, so that each is decoded once however often it is drawn.

Reading a small picture's pixels back takes microseconds, decoding it a hundred times as long.
The file has a place for every sample of a source and fills as samples are met, so training
begins at once. Beside each row stands a checksum, of its bytes and of the time and size of the
file it came from: a row that is missing, damaged, or older than its file is decoded anew.

The file is read with `read`, not mapped: mapped pages would count as this process's memory.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.caches import place
from headstart.data.decoding import Decoding, as_bytes
from headstart.data.files import Files, Places

FREE_SHARE = 0.25  # of the free disk that one spool may take
UNUSED_DAYS = 30
FORMAT = 1  # to be raised whenever a decoder of `decoding` gives other numbers than before


class Spool:
    """Rows of all samples of one source, as one `Decoding` makes them; safe among threads."""

    def __init__(self, folder: Path, where: Places, decoding: Decoding) -> None:
        """Open the spool in `folder`, or begin it.

        Raises:
            OSError: the folder cannot be written.
        """
        self.where = where
        self.size = decoding.bytes
        self._lock = threading.Lock()
        self._holders: dict[int, int] = {}
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        samples = len(where.holder)
        self._rows = _open(folder / "rows")
        self._sums_file = _open(folder / "sums")
        self._sums = np.zeros(samples, np.uint32)  # 0: not there
        self._sums_file.seek(0)
        self._sums_file.readinto(as_bytes(self._sums))

    def has(self, row: int) -> bool:
        """Whether a sample was decoded once, whatever became of it since."""
        return bool(self._sums[row])

    def read(self, row: int, into: NDArray[Any]) -> bool:
        """Fill `into` with a sample's row; False where it is not there as it should be."""
        if self._sums[row] == 0:
            return False
        view = as_bytes(into)
        count = self._read_at(view, row * self.size)
        return bool(count == self.size and self._sum(row, view) == self._sums[row])

    def write(self, row: int, values: NDArray[Any]) -> None:
        """Keep a sample's row; a full disk is no reason to stop."""
        view = as_bytes(np.ascontiguousarray(values))
        total = self._sum(row, view)
        with self._lock, suppress(OSError):
            self._rows.seek(row * self.size)
            if self._rows.write(view) == self.size:
                self._sums[row] = total
                self._sums_file.seek(4 * row)
                self._sums_file.write(self._sums[row].tobytes())

    def _read_at(self, view: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):  # one call, and no other thread need wait
            return os.preadv(self._rows.fileno(), [view], offset)
        with self._lock:
            self._rows.seek(offset)
            count: int = self._rows.readinto(view)
            return count

    def _sum(self, row: int, view: memoryview) -> int:
        if self.where.offset is None:
            begun = _origin(self.where.path(row))
        else:  # a shard holds thousands of samples: once a process will do
            holder = int(self.where.holder[row])
            if holder not in self._holders:
                self._holders[holder] = _origin(self.where.path(row))
            begun = self._holders[holder]
        return zlib.crc32(view, begun) or 1

    def close(self) -> None:
        """Let the files go."""
        self._rows.close()
        self._sums_file.close()


def _origin(path: str) -> int:
    """What changes when the file does."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return 0
    return hash((found.st_mtime_ns, found.st_size)) & 0xFFFFFFFF  # of integers: always the same


def _open(path: Path) -> Any:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o666), "r+b", buffering=0)


def open_spool(files: Files, decoding: Decoding) -> Spool | None:
    """The spool of a source, shared by all its splits and all runs; None where there is no room."""
    import PIL

    made_by = [FORMAT, PIL.__version__]
    recipe = json.dumps([decoding.function, decoding.options, decoding.dtype, *made_by])
    folder = place("decoded", files.where.stamp, recipe)
    if folder is None:
        return None
    _forget(folder.parent)
    needed = len(files.where.holder) * decoding.bytes
    try:
        if not folder.exists() and needed > FREE_SHARE * shutil.disk_usage(folder.parent).free:
            return None
        return Spool(folder, files.where, decoding)
    except OSError:
        return None


def _forget(root: Path) -> None:
    """Remove spools that nobody has opened for long."""
    for folder in root.iterdir():
        with suppress(OSError):
            if folder.stat().st_mtime < time.time() - UNUSED_DAYS * 86_400:
                shutil.rmtree(folder)
