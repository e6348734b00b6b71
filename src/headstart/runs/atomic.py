"""Write beside, sync, rename: a file is the old one or the new one, never half of either.

Of several processes only the first writes; in the others these functions do nothing.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from headstart import processes
from headstart.errors import UserError

MARK = ".unfinished"  # the end of the name of a file that is being written


def write_with(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file in the same folder, then make it `path`.

    Raises:
        UserError: the disk is full, the folder has gone or may not be written.
    """
    if not processes.is_first():
        return
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=MARK)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        with temporary.open("r+b") as file:  # Windows syncs only what may be written to
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _sync_folder(path.parent)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"cannot write {path}: {getattr(error, 'strerror', None) or error}.",
            "What was saved before is untouched.",
        ) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Replace `path` by UTF-8 text."""

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write_with(path, write)


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by indented JSON; NaN and infinities become null, as JSON has none."""
    write_text(path, json.dumps(finite(value), indent=2, ensure_ascii=False) + "\n")


def finite(value: Any) -> Any:
    """The value with every NaN or infinite number turned into None."""
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut; only POSIX systems need it and can do it."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
