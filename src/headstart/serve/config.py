"""What `headstart serve` can be told. This module does not import torch."""

from __future__ import annotations

from headstart.errors import UserError
from headstart.settings import Settings, Size, setting

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ServeConfig(Settings):
    """Where to listen, and what is too much."""

    host: str = setting("127.0.0.1", "address to listen at; any but loopback needs --token")
    port: int = setting(8000, "port to listen at; 0 for a free one", least=0, most=65_535)
    token: str | None = setting(
        None, "who asks must send it: Authorization: Bearer TOKEN (or HEADSTART_TOKEN)"
    )
    max_body: Size = setting(Size(10_000_000), "largest request")
    rate: float = setting(50.0, "requests a second from one address, 0 for any number", least=0)
    waiting: int = setting(
        512, "samples that may wait for an answer; more are told to come back", least=1
    )
    batch: int = setting(64, "samples that are answered together at most", least=1)
    body_seconds: float = setting(
        10.0, "that a request's headers, then its body, may take to arrive", above=0
    )
    answer_seconds: float = setting(30.0, "after which a request is given up", above=0)
    neighbours: int = setting(
        5000, "training samples among which the nearest are looked for", least=0
    )

    @property
    def local(self) -> bool:
        """Whether only this machine can ask."""
        return self.host in LOOPBACK

    def check(self) -> None:
        """Raises:
        UserError: others could ask and no token is set, or it is short.
        """
        if not self.local and not self.token:
            raise UserError(
                f"--host {self.host} lets others ask: set a --token that they must send.",
                "Make one: python -c 'import secrets; print(secrets.token_urlsafe())'",
            )
        if self.token is not None and len(self.token) < 8:
            raise UserError("--token is too short: at least 8 characters are needed.")
