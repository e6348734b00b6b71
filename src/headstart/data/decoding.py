"""Decode samples in worker processes that hold nothing and outlive nobody.

A worker is told what to decode with each request (a few paths), so that the list of all samples
is never copied into it. It imports NumPy and Pillow but not PyTorch: 0.2 s and some 40 MB. It
reads its requests from a pipe; when the process at the other end dies, by whatever signal, the
pipe ends and so does the worker.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from headstart.data.files import Item, Range, Unreadable

Rows = NDArray[Any]
CRASHED = "its decoder crashed"
_START = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); \
from headstart.data.decoding import serve; serve(json.loads(sys.argv[2]))"


def as_bytes(array: Rows) -> memoryview:
    """The bytes of a contiguous array, without a copy."""
    view: memoryview = array.reshape(-1).view(np.uint8).data
    return view


@dataclass(frozen=True)
class Decoding:
    """How one encoded sample becomes a row.

    function: `"module:name"`, called with an item and `options`, which JSON can hold.
    shape, dtype: of one row.
    """

    function: str
    options: dict[str, Any]
    shape: tuple[int, ...]
    dtype: str = "uint8"

    @property
    def bytes(self) -> int:
        """Of one row."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    def __call__(self, items: Sequence[Item]) -> tuple[Rows, dict[int, str]]:
        """Rows `[n, *shape]`, and why some could not be read, by their number; they are zero."""
        module, _, name = self.function.partition(":")
        decode: Callable[..., Rows] = getattr(import_module(module), name)
        rows = np.zeros((len(items), *self.shape), self.dtype)
        bad: dict[int, str] = {}
        for i, item in enumerate(items):
            try:
                rows[i] = decode(item, **self.options)
            except Unreadable as error:
                bad[i] = error.reason
        return rows, bad


class Decoders:
    """A pool of worker processes, each started when it is first needed; safe among threads.

    workers: how many; with 0 the calling thread decodes.
    """

    def __init__(self, decoding: Decoding, workers: int) -> None:
        self.decoding = decoding
        self.workers = workers
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(None)

    def __call__(self, items: Sequence[Item]) -> tuple[Rows, dict[int, str]]:
        """See `Decoding`. A worker that dies is replaced; the sample that killed it is bad."""
        if self.workers == 0 or not items:
            return self.decoding(items)
        found = self._ask(items)
        if found is not None:
            return found
        rows = np.zeros((len(items), *self.decoding.shape), self.decoding.dtype)
        bad: dict[int, str] = {}
        for i, item in enumerate(items):
            one, reasons = self._ask([item]) or (rows[i : i + 1], {0: CRASHED})
            rows[i] = one[0]
            if reasons:
                bad[i] = reasons[0]
        return rows, bad

    def _ask(self, items: Sequence[Item]) -> tuple[Rows, dict[int, str]] | None:
        """None when the worker died of it."""
        worker = self._idle.get()
        try:
            if worker is None:
                worker = _Worker(self.decoding)
            return worker.ask(items)
        except (OSError, EOFError):
            if worker is not None:
                worker.close()
            worker = None
            return None
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End the workers."""
        for _ in range(self.workers):
            with suppress(queue.Empty):
                worker = self._idle.get(timeout=10)
                if worker is not None:
                    worker.close()
        self.workers = 0


class _Worker:
    """The near end of one worker process."""

    def __init__(self, decoding: Decoding) -> None:
        self.decoding = decoding
        paths = [path or str(Path.cwd()) for path in sys.path]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(paths), json.dumps(asdict(decoding))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self.requests = cast(BinaryIO, self.process.stdin)
        self.replies = cast(BinaryIO, self.process.stdout)

    def ask(self, items: Sequence[Item]) -> tuple[Rows, dict[int, str]]:
        """Raises:
        OSError, EOFError: the worker has died.
        """
        _send(self.requests, [list(i) if isinstance(i, Range) else [str(i)] for i in items])
        bad = _receive(self.replies)
        rows = np.empty((len(items), *self.decoding.shape), self.decoding.dtype)
        view = as_bytes(rows)
        done = 0
        while done < len(view):
            count = self.replies.readinto(view[done:])  # type: ignore[attr-defined]
            if not count:
                raise EOFError
            done += count
        return rows, {int(i): reason for i, reason in bad.items()}

    def close(self) -> None:
        for pipe in (self.requests, self.replies):
            with suppress(OSError):
                pipe.close()
        self.process.kill()
        self.process.wait()


def _send(pipe: BinaryIO, value: Any) -> None:
    text = json.dumps(value).encode("ascii")
    pipe.write(len(text).to_bytes(8, "little") + text)
    pipe.flush()


def _receive(pipe: BinaryIO) -> Any:
    head = pipe.read(8)
    size = int.from_bytes(head, "little")
    text = pipe.read(size) if len(head) == 8 else b""
    if len(head) < 8 or len(text) < size:
        raise EOFError
    return json.loads(text)


def serve(raw: dict[str, Any]) -> None:
    """A worker's life: answer requests until the pipe ends."""
    import signal

    # Ctrl-C goes to the whole group; the process that asked decides, and the pipe tells.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    decoding = Decoding(**{**raw, "shape": tuple(raw["shape"])})
    # Whatever prints in a decoder must not get between the replies.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    requests = sys.stdin.buffer
    with suppress(EOFError, BrokenPipeError):
        while True:
            asked = _receive(requests)
            rows, bad = decoding([Range(*i) if len(i) > 1 else Path(i[0]) for i in asked])
            _send(replies, bad)
            replies.write(as_bytes(rows))
            replies.flush()
    os._exit(0)  # nothing is left to tidy, and a broken pipe would be complained of
