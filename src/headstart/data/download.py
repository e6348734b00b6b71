"""One file from the first of several mirrors that gives it whole."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from headstart.errors import UserError

PATIENCE = 30  # seconds without an answer before the next mirror is tried


def fetch(name: str, mirrors: Sequence[str], md5: str, folder: Path) -> Path:
    """The file `name` in `folder`, downloaded unless it is there with the right checksum.

    mirrors: addresses of folders that hold the file, ending in `/`; tried in order.

    Raises:
        UserError: no mirror gave the file with that checksum, or the folder cannot be written.
            Nothing half-written is left.
    """
    import pooch

    # pooch reports each download as it starts; the caller decides what the user is told.
    pooch.get_logger().setLevel(logging.ERROR)
    _make(folder)
    reasons = []
    for mirror in mirrors:
        try:
            return Path(
                pooch.retrieve(
                    mirror + name,
                    known_hash=f"md5:{md5}",
                    fname=name,
                    path=folder,
                    downloader=pooch.HTTPDownloader(timeout=PATIENCE, progressbar=False),
                )
            )
        except (ValueError, OSError) as error:  # checksum; network (requests' errors are OSError)
            reasons.append(f"- {mirror + name}: {_short(error)}")
    raise UserError(f"{name} could not be downloaded; tried:", *reasons)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make the folder {folder}: {error.strerror or error}.",
            "Name another with the environment variable HEADSTART_DATA.",
        ) from error


def _short(error: Exception) -> str:
    """What happened, without a library's whole chain of causes."""
    if isinstance(error, ValueError) and "hash" in str(error):
        return "what came has the wrong checksum"
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if len(text) <= 120 else f"{type(error).__name__}: {text[:100]}..."
