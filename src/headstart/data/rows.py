"""Rows of numbers on disk: written once, then drawn in any order a batch at a time.

The file is read with `read`, not mapped: mapped pages would count as this process's memory.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.data.caches import place
from headstart.data.loader import Order
from headstart.errors import UserError

Rows = NDArray[np.signedinteger[Any]]
FLUSH = 2**20  # bytes that are written at once


class DiskRows:
    """See `Loader`: samples `[width]` each, in a file."""

    def __init__(self, path: Path, width: int, dtype: np.dtype[Any], seed: int) -> None:
        self.y: Tensor | None = None
        self.width, self.dtype = width, dtype
        self._file = path.open("rb", buffering=0)
        rows = path.stat().st_size // (width * dtype.itemsize)
        self.order = Order(rows, seed)

    def __len__(self) -> int:
        return self.order.samples

    def at(self, position: int, count: int) -> tuple[Tensor, Tensor | None]:
        """See `Loader`."""
        rows = self.order.take(position, count).tolist()
        made = np.empty((count, self.width), self.dtype)
        for i, row in enumerate(rows):
            self._read(row, made[i])
        return self._tensor(made), None

    def in_order(self, count: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        """See `Loader`."""
        for start in range(0, len(self), count):
            made = np.empty((min(count, len(self) - start), self.width), self.dtype)
            self._read(start, made)
            yield self._tensor(made), None

    def damaged(self, position: int) -> Mapping[int, str]:  # noqa: ARG002 - none are written
        """See `Loader`."""
        return {}

    def close(self) -> None:
        """See `Loader`."""
        self._file.close()

    def _read(self, row: int, into: Rows) -> None:
        view = into.reshape(-1).view(np.uint8).data
        self._file.seek(row * self.width * self.dtype.itemsize)
        if self._file.readinto(view) != len(view):
            raise UserError(f"{self._file.name} was cut short while it was read.", "Begin again.")

    def _tensor(self, made: Rows) -> Tensor:
        return torch.from_numpy(made)


@dataclass(frozen=True)
class RowParts:
    """Rows to be written. key: tells them from others; parts: `[n, width]` each, of `dtype`."""

    key: str
    width: int
    dtype: str
    parts: Iterable[Rows]


def kept_rows(key: str, parts: Iterable[Rows]) -> tuple[Path, bool]:
    """A file of all `parts` `[n, width]`, in the cache under `key`; written if it is not there.

    Returns: the file, and whether it stays there (else whoever asked removes it).

    Raises:
        UserError: the disk is full, or cannot be written.
    """
    path = place("tokens", key)
    if path is not None and path.is_file():
        os.utime(path)
        return path, True
    folder = None if path is None else path.parent
    handle, name = tempfile.mkstemp(prefix="headstart-", suffix=".rows", dir=folder)
    try:
        with os.fdopen(handle, "wb", buffering=FLUSH) as file:
            for part in parts:
                file.write(part.tobytes())
    except OSError as error:
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108 - it is a name
        raise UserError(
            f"cannot keep tokens in {os.path.dirname(name)}: {error.strerror or error}.",  # noqa: PTH120
            "Make room there, or name another folder in HEADSTART_CACHE.",
        ) from error
    except BaseException:
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108
        raise
    if path is None:
        return Path(name), False
    Path(name).replace(path)
    return path, True
