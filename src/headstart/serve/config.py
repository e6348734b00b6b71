"""What `headstart serve` can be told. This module does not import torch."""

from __future__ import annotations

from headstart.errors import UserError
from headstart.settings import Settings, Size, setting

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ServeConfig(Settings):
    """Where to listen, and what is too much."""

    host: str = setting("127.0.0.1", "address to listen at; any but loopback needs --token")
    port: int = setting(8000, "port to listen at; 0 for a free one")
    token: str | None = setting(
        None, "who asks must send it: Authorization: Bearer TOKEN (or HEADSTART_TOKEN)"
    )
    max_body: Size = setting(Size(10_000_000), "largest request")
    rate: float = setting(50.0, "requests a second from one address, 0 for any number")
    waiting: int = setting(512, "samples that may wait for an answer; more are told to come back")
    batch: int = setting(64, "samples that are answered together at most")
    body_seconds: float = setting(10.0, "that a request's body may take to arrive")
    answer_seconds: float = setting(30.0, "after which a request is given up")
    neighbours: int = setting(5000, "training samples among which the nearest are looked for")

    @property
    def local(self) -> bool:
        """Whether only this machine can ask."""
        return self.host in LOOPBACK

    def check(self) -> None:
        """Raises:
        UserError: others could ask and no token is set, or a number is out of range.
        """
        if not self.local and not self.token:
            raise UserError(
                f"--host {self.host} lets others ask: set a --token that they must send.",
                "Make one: python -c 'import secrets; print(secrets.token_urlsafe())'",
            )
        if self.token is not None and len(self.token) < 8:
            raise UserError("--token is too short: at least 8 characters are needed.")
        if not 0 <= self.port <= 65_535:
            raise UserError(f"--port must be 0 to 65535, not {self.port}.")
        least = {"waiting": 1, "batch": 1, "rate": 0, "neighbours": 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise UserError(f"--{name} must be at least {value}, not {getattr(self, name)}.")
        for name in ("body_seconds", "answer_seconds"):
            if not getattr(self, name) > 0:
                raise UserError(f"--{name.replace('_', '-')} must be above 0.")
