"""Listen until told to stop; what has been asked is answered before the end."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from headstart.errors import UserError
from headstart.serve.app import build
from headstart.serve.config import ServeConfig
from headstart.serve.patience import patient
from headstart.workflows.loaded import LoadedRun

MOST_PIXELS = 40_000_000  # of a picture: decoding a larger one would take too much memory


def serve(run: LoadedRun, config: ServeConfig, say: Callable[[str], None]) -> None:
    """Serve a run; returns when a signal ends it.

    Raises:
        UserError: a setting is out of range, or the address is not to be had.
    """
    from PIL import Image

    config.check()
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    listening = _socket(config)
    try:
        _listen(listening, run, config, say)
    finally:
        listening.close()


def _listen(
    listening: socket.socket, run: LoadedRun, config: ServeConfig, say: Callable[[str], None]
) -> None:
    app = build(run, config)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    say(f"serving {run.folder.path} at http://{shown}:{port} (Ctrl-C ends it)")
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, proxy_headers=False,
            timeout_keep_alive=10, timeout_graceful_shutdown=30, lifespan="on",
            http=patient(config.body_seconds), ws="none",
        )
    )  # fmt: skip
    server.run(sockets=[listening])


def _socket(config: ServeConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((config.host, config.port))
    except OSError as error:
        made.close()
        raise UserError(
            f"cannot listen at {config.host} port {config.port}: {error.strerror or error}.",
            "Choose another --port; 0 takes a free one.",
        ) from error
    made.listen(1024)
    made.set_inheritable(True)
    return made
