"""The local page: served to this machine alone, behind a random word, running nothing it is sent.

Requests must come to a loopback address under a path that begins with the token (so that neither
another user's browser nor a foreign web page can ask), samples are asked for by number, never by
path, and pictures and sounds are made anew from what was decoded.
"""

from __future__ import annotations

import json
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from headstart.errors import UserError
from headstart.study.labelling.session import Session

HOST = "127.0.0.1"
MOST_BYTES = 10_000  # of a request
NAMES = ("127.0.0.1", "localhost")


class Server(ThreadingHTTPServer):
    """Serves one session."""

    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, session: Session, port: int) -> None:
        """port: 0 takes any that is free.

        Raises:
            UserError: the port is taken, or may not be used.
        """
        self.session = session
        self.token = secrets.token_urlsafe(18)
        self.nonce = secrets.token_urlsafe(12)
        page = files("headstart.study.labelling").joinpath("page.html").read_text(encoding="utf-8")
        self.page = page.replace("{{nonce}}", self.nonce)
        try:
            super().__init__((HOST, port), Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(
                f"the port {port} cannot be used: {reason}.",
                "Name another with --port, or 0 for any that is free.",
            ) from error

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.server_address[1]}/{self.token}/"


class Handler(BaseHTTPRequestHandler):
    """Answers the page."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "headstart", ""

    def do_GET(self) -> None:
        """The page, its state, a picture or sound."""
        match self._asked():
            case None:
                return
            case [""]:
                self._send(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page.encode())
            case ["state"]:
                self._send_state()
            case ["sample", number] if number.isascii() and number.isdigit():
                try:
                    kind, data = self.server.session.media(int(number))
                except UserError as error:
                    self._refuse(HTTPStatus.NOT_FOUND, error.message)
                else:
                    self._send(HTTPStatus.OK, kind, data)
            case _:
                self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")

    def do_POST(self) -> None:
        """A label, a skip, an undo, a wish for more or for a fine-tuning."""
        asked = self._asked()
        if asked is None:
            return
        body = self._body()
        if body is None:
            return
        session = self.server.session
        try:
            match asked, body:
                case ["say"], {"name": str(name), "label": str(label)}:
                    session.say(name, label)
                case ["skip"], {"name": str(name)}:
                    session.say(name, None)
                case ["undo"], _:
                    session.undo()
                case ["more"], _:
                    session.more()
                case ["train"], _:
                    session.train()
                case _:
                    self._refuse(HTTPStatus.BAD_REQUEST, "that cannot be asked")
                    return
        except UserError as error:
            self._refuse(HTTPStatus.CONFLICT, error.message)
            return
        self._send_state()

    def _asked(self) -> list[str] | None:
        """The parts of the path after the token; None where the request is refused."""
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        origin = self.headers.get("Origin")
        own = (None, *(f"http://{n}:{self.server.server_address[1]}" for n in NAMES))
        _, token, *rest = self.path.partition("?")[0].split("/") if "/" in self.path else ("", "")
        known = secrets.compare_digest(token.encode(), self.server.token.encode())
        if host not in NAMES or origin not in own or not known or not rest:
            self.close_connection = True  # what it sent besides is not read
            self._refuse(HTTPStatus.FORBIDDEN, "open the address that headstart label printed")
            return None
        return rest

    def _body(self) -> dict[str, Any] | None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > MOST_BYTES:
            self.close_connection = True
            self._refuse(HTTPStatus.BAD_REQUEST, "a short body of JSON is expected")
            return None
        raw = self.rfile.read(int(length))
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        kind = self.headers.get("Content-Type", "").partition(";")[0]
        if not isinstance(body, dict) or kind != "application/json":
            self._refuse(HTTPStatus.BAD_REQUEST, "a short body of JSON is expected")
            return None
        return body

    def _send_state(self) -> None:
        text = json.dumps(self.server.session.state(), ensure_ascii=False)
        self._send(HTTPStatus.OK, "application/json", text.encode())

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        self._send(status, "application/json", json.dumps({"error": sentence}).encode())

    def _send(self, status: HTTPStatus, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header(
            "Content-Security-Policy",
            "default-src 'none'; img-src 'self' data:; media-src 'self'; connect-src 'self';"
            f" style-src 'nonce-{self.server.nonce}'; script-src 'nonce-{self.server.nonce}';"
            " frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        )
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the token would stand in the terminal's log."""
