"""Where N encoded samples lie: whole files, or ranges of bytes within files.

A member of a tar, a cell of an Arrow file and a picture in a folder are all bytes somewhere. For
a million of them a list of paths would take hundreds of megabytes; here it is a few arrays, and
a subset is only the numbers of its rows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from headstart.data.caches import fingerprint


class Range(NamedTuple):
    """`size` bytes from `offset` of a file; `name` is what they are called in it."""

    file: str
    offset: int
    size: int
    name: str

    def read(self) -> bytes:
        """The bytes.

        Raises:
            OSError: the file is not there, cannot be read, or ends before them.
        """
        with open(self.file, "rb", buffering=0) as file:  # noqa: PTH123 - faster by the million
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) < self.size:
            raise OSError(f"the file ends after {len(data):,} of its {self.size:,} bytes")
        return data

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


Item = Path | Range


class Unreadable(Exception):  # noqa: N818 - it says what the sample is
    """A sample that cannot be decoded; `reason` says why, without its name."""

    def __init__(self, item: Item, reason: str) -> None:
        super().__init__(f"{item} cannot be read ({reason})")
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Places:
    """Where all samples of a source lie.

    root: the source; names are told relative to it.
    holders: folders (of whole files), or files (of ranges). holder: `[N]`, which of them.
    names: one after the other, each ended by a NUL. ends: `[N]`, where.
    offset, size: `[N]` of ranges; None for whole files.
    stamp: changes when a sample is added, removed or moved.
    """

    root: str
    holders: list[str]
    holder: NDArray[np.int32]
    names: bytes
    ends: NDArray[np.int64]
    stamp: str
    offset: NDArray[np.int64] | None = None
    size: NDArray[np.int64] | None = None

    def name(self, row: int) -> str:
        """The name of one sample within its holder."""
        begin = int(self.ends[row - 1]) + 1 if row else 0
        return os.fsdecode(self.names[begin : int(self.ends[row])])

    def path(self, row: int) -> str:
        """The file that one sample is, or lies in."""
        holder = self.holders[int(self.holder[row])]
        return holder if self.offset is not None else f"{holder}/{self.name(row)}"

    def item(self, row: int) -> Item:
        """One sample."""
        holder = self.path(row)
        if self.offset is None or self.size is None:
            return Path(holder)
        return Range(holder, int(self.offset[row]), int(self.size[row]), self.name(row))

    def label(self, row: int) -> str:
        """What to call one sample in messages and tables."""
        holder = self.holders[int(self.holder[row])]
        whole = f"{holder}/{self.name(row)}".removeprefix(f"{self.root}/")
        # What is not Unicode in a name must not stop messages and tables.
        return whole.encode("utf-8", "replace").decode()

    @property
    def memory(self) -> int:
        """Bytes that this takes."""
        ranges = sum(a.nbytes for a in (self.offset, self.size) if a is not None)
        return len(self.names) + self.holder.nbytes + self.ends.nbytes + ranges


def blob(names: Sequence[str]) -> bytes:
    """Names one after the other, as `Places` keeps them."""
    return b"".join(os.fsencode(name) + b"\0" for name in names)


def places(
    root: str,
    holders: list[str],
    counts: Sequence[int],
    names: bytes,
    *,
    stamp: Sequence[str],
    ranges: tuple[Any, Any] | None = None,
) -> Places:
    """`Places` of holders that lie one after the other, `counts` samples in each."""
    holder = np.repeat(np.arange(len(holders), dtype=np.int32), counts)
    ends = np.flatnonzero(np.frombuffer(names, dtype=np.uint8) == 0)
    assert len(ends) == len(holder)
    offset, size = (None, None) if ranges is None else (np.asarray(r, np.int64) for r in ranges)
    key = fingerprint(*map(os.path.abspath, holders), *stamp, names)
    return Places(root, holders, holder, names, ends, key, offset, size)


class Files(Sequence[Item]):
    """Some of the samples of a source, in some order.

    rows: `[N]`, which; all of them by default.
    """

    def __init__(self, where: Places, rows: NDArray[np.int64] | None = None) -> None:
        self.where = where
        self.rows = np.arange(len(where.holder)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Files: ...
    def __getitem__(self, index: int | slice) -> Item | Files:
        if isinstance(index, slice):
            return Files(self.where, self.rows[index])
        return self.where.item(int(self.rows[index]))

    def take(self, index: NDArray[np.integer[Any]]) -> Files:
        """Those at `index`, in that order."""
        return Files(self.where, self.rows[index])

    def label(self, index: int) -> str:
        """What to call one of them in messages and tables."""
        return self.where.label(int(self.rows[index]))


def of_paths(paths: Sequence[Path | str], root: str) -> Files:
    """Whole files wherever they lie; what changes in them later goes unnoticed."""
    parts = [os.path.split(os.fspath(path)) for path in paths]
    number: dict[str, int] = {}
    holder = np.array([number.setdefault(head or ".", len(number)) for head, _ in parts], np.int32)
    names = blob([tail for _, tail in parts])
    stamps = [str(_changed(folder)) for folder in number]
    ends = np.flatnonzero(np.frombuffer(names, dtype=np.uint8) == 0)
    key = fingerprint(*map(os.path.abspath, number), *stamps, holder.tobytes(), names)
    return Files(Places(root, list(number), holder, names, ends, key))


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116
    except OSError:
        return 0
