"""Shards that lie elsewhere (s3://, gs://, https:// ...): copied once to the cache folder.

Pictures are drawn in any order, many times; over a network that would be a request each. A shard
is copied whole when it is first named, and again when it has changed there.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from headstart.data.caches import place
from headstart.errors import UserError
from headstart.runs.atomic import write_with


def is_remote(name: str) -> bool:
    """Whether a name is a URL."""
    return "://" in name


def fetched(url: str) -> Path:
    """The local copy of a file.

    Raises:
        UserError: there is no such file, nobody reads that protocol, or there is no room.
    """
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(url)
        about: dict[str, Any] = system.info(path)
    except ImportError as error:  # fsspec names the package that is missing
        raise UserError(f"{url} cannot be read: {error}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{url} cannot be read ({error!r}).", "Check its name.") from error
    stamp = [str(about.get(key)) for key in ("size", "ETag", "mtime", "last_modified")]
    folder = place("shards", url, *stamp)
    if folder is None:
        raise UserError(
            f"{url} must be copied, and the cache folder cannot be written.",
            "Say where with the environment variable HEADSTART_CACHE.",
        )
    folder.mkdir(exist_ok=True)
    copy = folder / PurePosixPath(path).name
    if not copy.is_file():
        write_with(copy, lambda temporary: system.get_file(path, str(temporary)))
    return copy
