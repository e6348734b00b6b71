"""Requests of many as one pass through the network: what waits while one runs goes in the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from headstart.serve.metrics import Metrics


class FullError(Exception):
    """So much waits already that more would be answered too late."""


@dataclass
class _Waiting:
    x: Tensor
    answer: asyncio.Future[Tensor]


class Batcher:
    """Answers compact samples `[n, ...]`, together with whatever else waits.

    ask: compact samples `[N, ...]` → outputs `[N, ...]`; called in one thread of its own, where
    `call` lets other work of the network have its turn. largest: samples a pass, as far as one
    request has no more. most: samples that may wait.
    """

    def __init__(
        self, ask: Callable[[Tensor], Tensor], metrics: Metrics, *, largest: int, most: int
    ) -> None:
        self._ask, self._metrics = ask, metrics
        self._largest, self._most = largest, most
        self._line: deque[_Waiting] = deque()
        self._there = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "network")
        self._worker: asyncio.Task[None] | None = None
        self.waiting = 0

    def start(self) -> None:
        """Begin to answer; within a running loop."""
        self._worker = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Answer what waits, then end."""
        while self.waiting:  # in line, or in a pass that runs
            await asyncio.sleep(0.01)
        if self._worker is not None:
            self._worker.cancel()
            with suppress(asyncio.CancelledError):
                await self._worker
        self._thread.shutdown()

    async def __call__(self, x: Tensor) -> Tensor:
        """Outputs of samples `[n, ...]`.

        Raises:
            FullError: too many wait already.
        """
        if self._line and self.waiting + len(x) > self._most:
            raise FullError
        one = _Waiting(x, asyncio.get_running_loop().create_future())
        self._line.append(one)
        self.waiting += len(x)
        self._there.set()
        return await one.answer

    async def call(self, work: Callable[[], Any]) -> Any:
        """Other work of the network, in its thread, between two passes.

        Raises:
            FullError: too many wait already.
        """
        if self.waiting >= self._most:
            raise FullError
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self.waiting -= 1

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._there.wait()
            taken = self._next()
            if not taken:
                self._there.clear()
                continue
            try:
                x = torch.cat([one.x for one in taken])
                self._metrics.computed(len(x))
                parts = torch.split(
                    await loop.run_in_executor(self._thread, self._ask, x),
                    [len(one.x) for one in taken],
                )
            except Exception as error:  # each that waits is told, and the next are answered
                for one in taken:
                    if not one.answer.done():
                        one.answer.set_exception(error)
            else:
                for one, part in zip(taken, parts, strict=True):
                    if not one.answer.done():
                        one.answer.set_result(part)
            finally:
                self.waiting -= sum(len(one.x) for one in taken)

    def _next(self) -> list[_Waiting]:
        """The first in line, and those after it that fit in one pass with it."""
        taken: list[_Waiting] = []
        count = 0
        while self._line:
            one = self._line[0]
            if one.answer.cancelled():  # nobody waits for it any more
                self.waiting -= len(self._line.popleft().x)
                continue
            if taken and (
                count + len(one.x) > self._largest or one.x.shape[1:] != taken[0].x.shape[1:]
            ):
                break
            taken.append(self._line.popleft())
            count += len(one.x)
        return taken
