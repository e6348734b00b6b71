"""Who may ask, how much and how often: what stands before every route.

A body is read whole before a route is called, within a size and a time; a token is compared in
constant time; on loopback only requests that name this machine are heard, so that a page of some
other site cannot ask in the browser's name (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from headstart.serve.config import ServeConfig
from headstart.serve.metrics import Metrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = ("/", "/health", "/page.js", "/page.css", "/recorder.js")  # what is no secret
MOST_BODIES = 32  # times the largest body: bytes that may be held at once
MOST_ADDRESSES = 10_000  # whose pace is remembered
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
        b" media-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
        b" frame-ancestors 'none'",
    ),
]


class Refusal(Exception):  # noqa: N818 - it is an answer
    """What is said instead of an answer. wait: seconds after which to ask again."""

    def __init__(self, status: int, error: str, wait: float | None = None) -> None:
        super().__init__(error)
        self.status, self.error, self.wait = status, error, wait


class Guard:
    """An ASGI layer around the routes. paths: those there are, for the metrics."""

    def __init__(self, app: App, config: ServeConfig, metrics: Metrics, paths: set[str]) -> None:
        self._app, self._config, self._metrics, self._paths = app, config, metrics, paths
        self._held = 0
        self._bucket = TokenBucket(config.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the module."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.monotonic()
        status = 500
        began = False

        async def sending(message: Message) -> None:
            nonlocal status, began
            if message["type"] == "http.response.start":
                began = True
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        body = bytearray()
        try:
            self._check(scope)
            await self._read(scope, receive, body)
            await self._app(scope, _given(bytes(body), receive), sending)
        except Refusal as refusal:
            if not began:
                await _say(refusal, sending)
        finally:
            self._held -= len(body)
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.answered(path, status, time.monotonic() - begun)

    def _check(self, scope: Scope) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        if scope["path"] != "/health":  # before the token: guesses are requests too
            client = scope.get("client") or ("?",)
            self._bucket.step(str(client[0]))
        if self._config.local and not self._config.token:
            host = headers.get(b"host", b"").decode("latin-1")
            name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
            if name.strip("[]") not in ("127.0.0.1", "::1", "localhost"):
                raise Refusal(421, "this service answers to requests for this machine only")
        if self._config.token and scope["path"] not in OPEN:
            given = headers.get(b"authorization", b"")
            wanted = f"Bearer {self._config.token}".encode()
            if not hmac.compare_digest(given, wanted):
                raise Refusal(401, "a token is needed: send Authorization: Bearer TOKEN")
        told = headers.get(b"content-length", b"0")
        if not told.isdigit():
            raise Refusal(400, "Content-Length is no number")
        if len(told) > 15 or int(told) > self._config.max_body.amount:
            raise self._too_large()

    def _too_large(self) -> Refusal:
        return Refusal(413, f"the request is larger than {self._config.max_body}")

    async def _read(self, scope: Scope, receive: Receive, body: bytearray) -> None:
        """Fill `body`; what it holds counts among what is held from its first byte on."""
        if scope["method"] in ("GET", "HEAD"):
            return
        try:
            async with asyncio.timeout(self._config.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal(400, "the request ended before its body")
                    part = message.get("body", b"")
                    body += part
                    self._held += len(part)
                    if len(body) > self._config.max_body.amount:
                        raise self._too_large()
                    if self._held > MOST_BODIES * self._config.max_body.amount:
                        raise Refusal(503, "too many requests are being read", 1.0)
                    if not message.get("more_body", False):
                        return
        except TimeoutError:
            raise Refusal(
                408, f"the body took longer than {self._config.body_seconds:g} s to arrive"
            ) from None


class TokenBucket:
    """A bucket of tokens an address: `rate` a second, twice as many at once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._left: dict[str, tuple[float, float]] = {}

    def step(self, address: str) -> None:
        """Raises:
        Refusal: the address asks too often; it says when to ask again.
        """
        if not self._rate:
            return
        now = time.monotonic()
        most = max(1.0, 2 * self._rate)
        left, then = self._left.get(address, (most, now))
        left = min(most, left + (now - then) * self._rate)
        if left < 1:
            raise Refusal(429, "too many requests from this address", (1 - left) / self._rate)
        if len(self._left) >= MOST_ADDRESSES:
            self._left.clear()
        self._left[address] = (left - 1, now)


def _given(body: bytes, receive: Receive) -> Receive:
    """`receive` that begins with a body that has been read."""
    told = False

    async def given() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return given


async def _say(refusal: Refusal, send: Send) -> None:
    body = json.dumps({"error": refusal.error, "hints": []}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if refusal.wait is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(refusal.wait))))
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refusal.status in (400, 408, 413, 503):  # a body may not have been read to its end
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
