"""What folders hold, remembered: a folder whose time of change is the same is not read again.

A million files in a thousand folders are listed in one pass; the next time only the folders are
looked at, never the files. The memory is a file in the cache folder, written whole and checked;
a damaged one counts as none.
"""

from __future__ import annotations

import json
import os
import re
import time
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from headstart.data.caches import place
from headstart.data.files import blob
from headstart.errors import UserError
from headstart.runs.atomic import write_with

EXTENSIONS = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)


@dataclass(frozen=True)
class Sought:
    """What files a folder is read for: what they are called in messages, and their suffixes."""

    noun: str
    suffixes: frozenset[str]


PICTURES = Sought("pictures", EXTENSIONS)
TEXTS = Sought("texts", frozenset({".txt"}))
RECORDINGS = Sought(
    "recordings", frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff"})
)
CLUTTER = frozenset({"thumbs.db", "desktop.ini", "metadata.csv"})
WORTH = 1_000  # files fewer than this are listed faster than remembered
_MAGIC = b"headstart listing 1 "
# A folder changed so shortly before it was read may change again without a new time.
_RECENT = 2 * 10**9


@dataclass(frozen=True)
class Listing:
    """One folder, hidden entries aside, in natural order.

    names: of the files that are sought, each ended by a NUL. others: all other files, by suffix.
    changed, read: when, in ns.
    """

    folders: list[str]
    names: bytes
    count: int
    others: dict[str, int]
    changed: int
    read: int

    def first(self) -> str:
        """The name of the first file."""
        return os.fsdecode(self.names[: self.names.index(b"\0")])


class Listings:
    """Folders beneath `root`, each listed once."""

    def __init__(self, root: Path, sought: Sought = PICTURES) -> None:
        key = [] if sought == PICTURES else [sought.noun]
        self.file = place("listings", str(root.absolute()), *key)
        self.sought = sought
        self._before = _read(self.file) if self.file is not None else {}
        self._now: dict[str, Listing] = {}

    def of(self, folder: Path | str) -> Listing:
        """What a folder holds.

        Raises:
            UserError: it cannot be read.
        """
        key = os.path.abspath(folder)  # noqa: PTH100 - Path.absolute keeps `..`
        if key not in self._now:
            self._now[key] = self._fresh(key) or _scan(key, self.sought)
        return self._now[key]

    def _fresh(self, key: str) -> Listing | None:
        known = self._before.get(key)
        if known is None or known.changed > known.read - _RECENT:
            return None
        try:
            changed = os.stat(key).st_mtime_ns  # noqa: PTH116
        except OSError:
            return None
        return known if changed == known.changed else None

    def keep(self) -> None:
        """Remember for the next time, where that is worth it and possible."""
        if self.file is None or self._now == self._before:
            return
        if sum(listing.count for listing in self._now.values()) < WORTH:
            return
        data = _pack(self._now)
        with suppress(UserError):  # a full disk costs the next run time, and nothing else
            write_with(self.file, lambda temporary: _fill(temporary, data))


def _fill(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _pack(listings: dict[str, Listing]) -> bytes:
    head = [
        [key, one.folders, one.count, len(one.names), one.others, one.changed, one.read]
        for key, one in listings.items()
    ]
    text = json.dumps(head).encode("ascii")
    body = len(text).to_bytes(8, "little") + text + b"".join(o.names for o in listings.values())
    return _MAGIC + zlib.crc32(body).to_bytes(4, "little") + body


def _read(file: Path) -> dict[str, Listing]:
    """What was remembered; nothing where the file is missing or damaged."""
    try:
        data = file.read_bytes()
        start = len(_MAGIC) + 4
        body = memoryview(data)[start:]
        if not data.startswith(_MAGIC):
            return {}
        if zlib.crc32(body) != int.from_bytes(data[len(_MAGIC) : start], "little"):
            return {}
        size = int.from_bytes(body[:8], "little")
        at = 8 + size
        found = {}
        for key, folders, count, length, others, changed, read in json.loads(bytes(body[8:at])):
            names = bytes(body[at : at + length])
            found[key] = Listing(folders, names, count, others, changed, read)
            at += length
    except (OSError, ValueError):
        return {}
    return found


def _scan(folder: str, sought: Sought) -> Listing:
    folders: list[str] = []
    files: list[str] = []
    try:
        # Taken before the entries are: what comes in meanwhile makes the listing stale.
        changed, now = os.stat(folder).st_mtime_ns, time.time_ns()  # noqa: PTH116
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith((".", "__MACOSX")):
                    (folders if entry.is_dir() else files).append(entry.name)
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror or error}.") from error
    others: Counter[str] = Counter()
    wanted = _wanted(sorted(files, key=natural), sought, others)
    named = blob(wanted)
    return Listing(sorted(folders, key=natural), named, len(wanted), dict(others), changed, now)


def _wanted(files: list[str], sought: Sought, others: Counter[str]) -> list[str]:
    found = []
    for name in files:
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - Path is slow by the million
        if suffix in sought.suffixes:
            found.append(name)
        elif name.lower() not in CLUTTER:
            others[suffix or "no extension"] += 1
    return found


def natural(name: str) -> tuple[list[str | int], str]:
    """A key that sorts 2.png before 10.png; names that only differ in zeros stay apart."""
    pieces: list[str | int] = [*re.split(r"([0-9]+)", name)]
    pieces[1::2] = [int(piece) for piece in pieces[1::2]]
    return pieces, name
