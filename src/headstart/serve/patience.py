"""Connections on which no request arrives: nothing at all, or headers a byte at a time.

uvicorn limits how long a connection may rest between two requests, not how long the headers of one
may take, nor what is still sent of a body that was refused. Who opens enough such connections would
have all there are. A body that is being read has its own limit, in `guard`.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol


def patient(seconds: float) -> type[H11Protocol]:
    """The protocol of a connection that is closed when headers take longer than that to arrive."""

    class Patient(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._rest()
            super().connection_lost(exc)

        def _watch(self) -> None:
            """The clock runs from the first byte that is waited for, not from the last."""
            if self.cycle is not None and not self.cycle.response_complete:
                self._rest()  # a request is there, and being answered
            elif self._late is None:
                self._late = self.loop.call_later(seconds, self.transport.close)

        def _rest(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

    return Patient
