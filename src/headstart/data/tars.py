"""WebDataset: pictures in tar files, a sample's parts side by side under one name.

shards/train-0000.tar:  0001.jpg  0001.cls      a class number
                        0002.jpg  0002.json     {"label": "cat", ...}
                        0003.jpg                no target

A shard is read through once, to note where each picture's bytes lie; after that pictures are read
from it in any order. What was noted is kept in the cache folder until the shard changes.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.data.caches import place
from headstart.data.csvs import MISSING, USUAL_TARGETS, parse_targets
from headstart.data.dataset import SPLITS, Dataset, Samples
from headstart.data.files import Files, blob, places
from headstart.data.listing import EXTENSIONS
from headstart.data.manifest import SPLIT_NAMES
from headstart.data.remote import fetched, is_remote
from headstart.errors import UserError
from headstart.runs.atomic import write_with

MOST_LABEL = 2**20  # bytes of a label; more is none
_BRACES = re.compile(r"\{([0-9]+)\.\.([0-9]+)\}")


@dataclass(frozen=True)
class Shard:
    """The pictures of one tar file: names, where their bytes lie, targets as text ("": none)."""

    path: Path
    names: list[str]
    offset: list[int]
    size: list[int]
    targets: list[str]


def is_tar_source(path: str) -> bool:
    """Whether a source names tar files: one, a pattern such as `train-{000..099}.tar`, a folder."""
    if re.search(r"\.(tar|tar\.gz|tgz)$", path.lower()):
        return True
    return Path(path).is_dir() and bool(_in_folder(Path(path)))


def _in_folder(folder: Path) -> list[Path]:
    """The tar files in a folder that holds nothing else to read."""
    entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
    tars = [entry for entry in entries if entry.suffix.lower() == ".tar"]
    others = [e for e in entries if e.is_dir() or e.suffix.lower() in (*EXTENSIONS, ".csv")]
    return [] if others else tars


def expand(pattern: str) -> list[str]:
    """`a-{00..02}.tar` → its names; a text without braces is one name."""
    match = _BRACES.search(pattern)
    if match is None:
        return [pattern]
    before, after = pattern[: match.start()], pattern[match.end() :]
    width = len(match[1])
    numbers = [str(i).zfill(width) for i in range(int(match[1]), int(match[2]) + 1)]
    return [name for number in numbers for name in expand(before + number + after)]


def read_tars(
    source: str, target: str | None = None, named: Mapping[str, str] | None = None
) -> Dataset:
    """Where pictures lie in tar files, with targets from `.cls`, `.txt` or `.json` beside them.

    target: the key of `.json` members that holds the target.
    named: split → its tar files; without it, files of a folder are told apart by their names.

    Raises:
        UserError: a shard is missing, compressed, damaged, or holds no pictures.
    """
    by_split = _shards(source, named or {})
    read = {split: [_indexed(path, target) for path in paths] for split, paths in by_split.items()}
    shards = [shard for part in read.values() for shard in part]
    for split, part in read.items():
        if not any(shard.names for shard in part):
            raise UserError(f"the {split} split of {source} holds no pictures.")
    values = [value for shard in shards for value in shard.targets]
    where = [f"{shard.path}: {name}" for shard in shards for name in shard.names]
    root = source if Path(source).is_dir() else str(Path(source).parent)
    files = Files(
        places(
            root,
            [str(shard.path) for shard in shards],
            [len(shard.names) for shard in shards],
            blob([name for shard in shards for name in shard.names]),
            stamp=[str(_stamp(shard.path)) for shard in shards],
            ranges=([o for s in shards for o in s.offset], [z for s in shards for z in s.size]),
        )
    )
    whole = Samples(files, *parse_targets(values, where))
    splits = whole.cut({s: sum(len(shard.names) for shard in part) for s, part in read.items()})
    return Dataset(source, "image", {s: splits[s] for s in SPLITS if s in splits}, target)


def _shards(source: str, named: Mapping[str, str]) -> dict[str, list[Path]]:
    """Tar files by split."""
    if named:
        if "train" not in named and not Path(source).is_dir():
            named = {"train": source, **named}
        root = Path(source) if Path(source).is_dir() else Path(source).parent
        found = {split: [_existing(root, n) for n in expand(v)] for split, v in named.items()}
    elif Path(source).is_dir():
        found = {}
        for path in _in_folder(Path(source)):
            word = re.split(r"[^a-z]", path.name.lower())[0]
            found.setdefault(SPLIT_NAMES.get(word, "train"), []).append(path)
    else:
        found = {"train": [_existing(Path(), name) for name in expand(source)]}
    return found


def _existing(root: Path, name: str) -> Path:
    if is_remote(name):
        return fetched(name)
    for path in (root / name, Path(name)):
        if path.is_file():
            return path
    raise UserError(f"there is no tar file {root / name}.")


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _indexed(path: Path, target: str | None) -> Shard:
    """What a shard holds: as noted before, or read through now."""
    noted = place("tars", str(path.absolute()), str(_stamp(path)), target or "")
    if noted is not None:
        with suppress(OSError, ValueError, TypeError):
            raw = json.loads(noted.read_text(encoding="ascii"))
            shard = Shard(path, raw["names"], raw["offset"], raw["size"], raw["targets"])
            lengths = {len(shard.names), len(shard.offset), len(shard.size), len(shard.targets)}
            if raw["whole"] and len(lengths) == 1:
                return shard
    shard = _read(path, target)
    if noted is not None:
        kept = {**vars(shard), "path": str(path), "whole": True}
        with suppress(UserError):  # a full disk costs the next run time, and nothing else
            write_with(noted, lambda to: _fill(to, json.dumps(kept)))
    return shard


def _fill(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii")


def _read(path: Path, target: str | None) -> Shard:
    pictures: dict[str, tuple[str, int, int]] = {}
    targets: dict[str, str] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                head, base = os.path.split(member.name)
                stem, _, extension = base.partition(".")
                if not member.isreg() or base.startswith("."):
                    continue
                key = f"{head}/{stem}"
                if f".{extension.lower()}" in EXTENSIONS:
                    if key in pictures:
                        raise UserError(f"{path} has two pictures called {member.name}.")
                    pictures[key] = (member.name, member.offset_data, member.size)
                elif extension in ("cls", "txt", "json") and member.size <= MOST_LABEL:
                    data = tar.extractfile(member)
                    assert data is not None  # it is a regular file
                    value = _label(f"{path}: {member.name}", extension, data.read(), target)
                    if value is not None:
                        targets[key] = value
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _damaged(path, error) from error
    names = [name for name, _, _ in pictures.values()]
    size = path.stat().st_size
    for name, offset, length in pictures.values():
        if offset + length > size:
            raise UserError(f"{path} is truncated: it ends within {name}.", "Fetch it again.")
    return Shard(
        path,
        names,
        [offset for _, offset, _ in pictures.values()],
        [length for _, _, length in pictures.values()],
        [targets.get(key, "") for key in pictures],
    )


def _label(where: str, extension: str, data: bytes, target: str | None) -> str | None:
    try:
        text = data.decode("utf-8").strip()
        if extension != "json":
            return text if target in (None, extension) else None
        value: Any = json.loads(text)
    except ValueError as error:
        raise UserError(f"{where} is no {extension} in UTF-8 ({error}).") from error
    if not isinstance(value, dict):
        raise UserError(f"{where}: expected a JSON object, with the target under a name.")
    names: Sequence[str] = (target,) if target else (*USUAL_TARGETS, "cls")
    found = next((value[name] for name in names if name in value), None)
    return None if found is None or str(found) in MISSING else str(found)


def _damaged(path: Path, error: Exception) -> UserError:
    with suppress(OSError), path.open("rb") as file:
        if file.read(2) == b"\x1f\x8b":
            return UserError(
                f"{path} is compressed: pictures in it cannot be read in any order.",
                "Unpack it first: gunzip (pictures are compressed themselves, it costs nothing).",
            )
    return UserError(f"{path} is not a readable tar file ({error}).", "Fetch it again.")
