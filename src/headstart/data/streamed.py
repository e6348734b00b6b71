"""Samples that do not fit in memory: read ahead of training, by threads and worker processes.

The order is `Order`'s, as for samples in memory. What is read ahead is a guess at the next
positions; a wrong guess (after a resume, or another stride) costs time and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.data.decoding import Decoders, Decoding, Rows
from headstart.data.files import Files
from headstart.data.loader import Order
from headstart.data.memory import processors
from headstart.data.spool import open_spool
from headstart.errors import UserError

Batch = tuple[Tensor, Tensor | None]
Index = NDArray[np.int64]

PIECE = 32  # samples a request: a batch is shared out to all workers
MOST_WORKERS = 16
WORTH_WORKERS = 2_000  # samples; fewer are decoded before workers have started
WORTH_A_SPOOL = 10_000  # samples; fewer are decoded in seconds


class Reader:
    """Decoded rows of one source by number, whichever split they are in; safe among threads.

    workers: processes that decode; 0 leaves it to the calling thread, None decides.
    spool: whether rows are kept on disk; None decides.
    """

    def __init__(
        self,
        files: Files,
        decoding: Decoding,
        workers: int | None = None,
        spool: bool | None = None,
    ) -> None:
        self.where = files.where
        self.decoding = decoding
        if spool is None:
            spool = len(self.where.holder) >= WORTH_A_SPOOL
        if workers is None:
            workers = min(MOST_WORKERS, processors()) if len(files) >= WORTH_WORKERS else 0
        self.spool = open_spool(files, decoding) if spool else None
        self.workers = workers
        self._decoders = Decoders(decoding, self.workers)

    def read(self, rows: Index, into: Rows) -> dict[int, str]:
        """Fill `into` `[n, ...]`; returns why some could not be read, by their place in `rows`."""
        if self.spool is None:
            absent = list(range(len(rows)))
        else:
            spool = self.spool
            absent = [i for i, row in enumerate(rows.tolist()) if not spool.read(row, into[i])]
        if not absent:
            return {}
        decoded, reasons = self._decoders([self.where.item(int(rows[i])) for i in absent])
        into[absent] = decoded
        bad = {absent[i]: reason for i, reason in reasons.items()}
        if self.spool is not None:
            for i in absent:
                if i not in bad:
                    self.spool.write(int(rows[i]), into[i])
        return bad

    def close(self) -> None:
        """End workers and close files."""
        self._decoders.close()
        if self.spool is not None:
            self.spool.close()


def unreadable(files: Files, bad: Mapping[int, str]) -> UserError:
    """The error for samples that cannot be read and may not be skipped."""
    first = min(bad)
    others = [f"{len(bad):,} of {len(files):,} are like this."] if len(bad) > 1 else []
    return UserError(
        f"{files[first]} is not readable ({bad[first]}).",
        *[f"{line} `headstart inspect` lists them." for line in others],
        "Mend or remove it, or pass --on-bad skip to go on without it.",
    )


class Streamed:
    """See `Loader`.

    y: `[N]` targets, or None.
    memory: bytes that batches may take, those read ahead and the one in use.
    notice: told of each damaged sample that is skipped.
    """

    def __init__(
        self,
        files: Files,
        reader: Reader,
        y: Tensor | None = None,
        *,
        seed: int = 0,
        on_bad: Literal["fail", "skip"] = "fail",
        memory: int = 2**28,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.files = files
        self.reader = reader
        self.y = y
        self.order = Order(len(files), seed)
        self.memory = memory
        self._skip = on_bad == "skip"
        self._notice = notice
        self._bad: dict[int, str] = {}
        self._ahead: dict[tuple[int, int], _Pending] = {}
        self._last: int | None = None
        self._threads = ThreadPoolExecutor(max(1, reader.workers), "headstart-read")

    def __len__(self) -> int:
        return len(self.files)

    def at(self, position: int, count: int) -> Batch:
        """See `Loader`.

        Raises:
            UserError: a sample is damaged and may not be skipped.
        """
        depth = self._depth(count)
        forward = self._last is not None and position > self._last
        stride = position - self._last if forward and self._last is not None else count
        self._last = position
        wanted = [position + i * stride for i in range(depth + 1)]
        for key in [key for key in self._ahead if key[0] not in wanted or key[1] != count]:
            self._ahead.pop(key).cancel()
        for start in wanted:
            if (start, count) not in self._ahead:
                self._ahead[start, count] = self._begin(self.order.take(start, count).numpy())
        return self._end(self._ahead.pop((position, count)), keep=True)

    def in_order(self, count: int) -> Iterator[Batch]:
        """See `Loader`.

        Raises:
            UserError: a sample is damaged and may not be skipped.
        """
        count = max(1, min(count, self.memory // (2 * self.reader.decoding.bytes)))
        depth = self._depth(count)
        starts = list(range(0, len(self), count))
        pending: list[_Pending] = []
        try:
            for i in range(len(starts)):
                for start in starts[i + len(pending) : i + depth + 1]:
                    pending.append(self._begin(np.arange(start, min(start + count, len(self)))))
                x, y = self._end(pending.pop(0), keep=False)
                if len(x):
                    yield x, y
        finally:
            for one in pending:
                one.cancel()

    def damaged(self, position: int) -> Mapping[int, str]:
        """See `Loader`. What an earlier process met is known again from what it left undecoded."""
        spool = self.reader.spool
        if spool is not None and self._skip and position > 0:
            seen = np.unique(self.order.take(0, min(position, len(self))).numpy())
            doubtful = [i for i in seen if not spool.has(int(self.files.rows[i]))]
            row = np.empty((1, *self.reader.decoding.shape), self.reader.decoding.dtype)
            for i in doubtful:
                for reason in self.reader.read(self.files.rows[i : i + 1], row).values():
                    self._bad[int(i)] = reason
        return dict(sorted(self._bad.items()))

    def close(self) -> None:
        """See `Loader`."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._ahead.clear()

    def _depth(self, count: int) -> int:
        """Batches to read ahead: enough to keep all workers busy, as many as fit."""
        fit = self.memory // (count * self.reader.decoding.bytes)
        return max(0, min(fit - 1, 1 + -(-2 * max(1, self.reader.workers) * PIECE // count)))

    def _begin(self, index: Index) -> _Pending:
        shape = (len(index), *self.reader.decoding.shape)
        dtype = getattr(torch, self.reader.decoding.dtype)
        x = torch.empty(shape, dtype=dtype, pin_memory=torch.cuda.is_available())
        pieces = range(0, len(index), PIECE)
        futures = [
            self._threads.submit(self._fill, index[i : i + PIECE], x.numpy()[i : i + PIECE])
            for i in pieces
        ]
        return _Pending(index, x, futures)

    def _fill(self, index: Index, into: Rows) -> dict[int, str]:
        return self.reader.read(self.files.rows[index], into)

    def _end(self, pending: _Pending, *, keep: bool) -> Batch:
        """A batch that has been read; damaged ones replaced if `keep`, else left out."""
        bad = pending.wait()
        index = pending.index
        if bad:
            found = {int(index[i]): reason for i, reason in bad.items()}
            if not self._skip:
                raise unreadable(self.files, found)
            self._remember(found)
            if keep:
                index = index.copy()
                for i in bad:
                    index[i] = self._stand_in(int(index[i]), pending.x.numpy()[i : i + 1])
            else:
                good = np.setdiff1d(np.arange(len(index)), list(bad))
                index, pending.x = index[good], pending.x[torch.from_numpy(good)]
        return pending.x, None if self.y is None else self.y[torch.from_numpy(index)]

    def _remember(self, found: Mapping[int, str]) -> None:
        for i, reason in found.items():
            if i not in self._bad:
                self._notice(f"{self.files[i]} is not readable ({reason}): it is skipped")
        self._bad |= found

    def _stand_in(self, number: int, into: Rows) -> int:
        """Fill in the next readable sample after a damaged one; returns its number."""
        for step in range(1, len(self)):
            other = (number + step) % len(self)
            if not self.reader.read(self.files.rows[other : other + 1], into):
                return other
        raise UserError("not one sample can be read.")


class _Pending:
    """A batch being read."""

    def __init__(self, index: Index, x: Tensor, futures: Sequence[Future[dict[int, str]]]) -> None:
        self.index = index
        self.x = x
        self.futures = futures

    def wait(self) -> dict[int, str]:
        """Why samples could not be read, by their place in the batch."""
        bad: dict[int, str] = {}
        for piece, future in enumerate(self.futures):
            bad |= {piece * PIECE + i: reason for i, reason in future.result().items()}
        return bad

    def cancel(self) -> None:
        for future in self.futures:
            future.cancel()


def read_resident(
    files: Files, reader: Reader, on_bad: str, notice: Callable[[str], Any] = lambda _: None
) -> tuple[Tensor, dict[int, str]]:
    """All samples as one tensor `[N, ...]`, and why some could not be read.

    on_bad: "fail" at a damaged one, "skip" them unless there are no others, "count" them.

    Raises:
        UserError: a sample is damaged and may not be skipped, or none can be read.
    """
    decoding = reader.decoding
    x = torch.zeros((len(files), *decoding.shape), dtype=getattr(torch, decoding.dtype))
    bad: dict[int, str] = {}
    starts = range(0, len(files), PIECE)
    with ThreadPoolExecutor(reader.workers or processors()) as threads:
        found = threads.map(
            lambda i: reader.read(files.rows[i : i + PIECE], x.numpy()[i : i + PIECE]), starts
        )
        for start, reasons in zip(starts, found, strict=True):
            bad |= {start + i: reason for i, reason in reasons.items()}
    if bad and on_bad == "fail":
        raise unreadable(files, bad)
    if on_bad == "skip" and len(bad) == len(files):
        raise UserError(f"not one sample can be read; {files[0]}: {bad[0]}.")
    for i, reason in bad.items():
        notice(f"{files[i]} is not readable ({reason}): it is skipped")
    return x, bad
