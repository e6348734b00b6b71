"""Where things lie that can be made again: indexes of folders, decoded samples."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

VARIABLE = "HEADSTART_CACHE"


def place(kind: str, *key: str) -> Path | None:
    """A path of its own for what `key` tells apart; its folder exists. None where none may be.

    The environment variable HEADSTART_CACHE says where; by default the user's cache folder.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        root = Path(chosen)
    else:
        import pooch

        root = Path(pooch.os_cache("headstart"))
    folder = root / kind
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(folder, os.W_OK):
        return None
    return folder / fingerprint(*key)


def fingerprint(*parts: str | bytes) -> str:
    """A short name for a sequence of texts; equal only for equal ones."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
