"""Folders of pictures in the Hugging Face ImageFolder convention. Only paths are gathered.

photos/train/cat/1.jpg      splits (train, validation | val | valid | dev, test) are optional,
photos/test/dog/2.jpg       and so are class folders
photos/metadata.csv         or targets by `file_name`, here or in each split's folder
photos/unlabelled/3.jpg     more pictures to pre-train on, beside class folders or splits
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.csvs import parse_targets
from headstart.data.dataset import SPLITS, Dataset, Samples
from headstart.data.manifest import SPLIT_NAMES
from headstart.data.metadata import METADATA as _METADATA
from headstart.data.metadata import read_metadata
from headstart.errors import UserError

EXTENSIONS = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)
UNLABELLED = frozenset({"unlabelled", "unlabeled"})
_CLUTTER = frozenset({"thumbs.db", "desktop.ini", _METADATA})


@dataclass
class _Part:
    """The pictures of one split: full paths, and the class folder of each or None."""

    root: Path
    files: list[str] = field(default_factory=list)
    classes: list[str | None] = field(default_factory=list)


def read_folder(
    path: Path, target: str | None = None, named: Mapping[str, Path] | None = None
) -> Dataset:
    """Paths of pictures, with targets from class folders or from `metadata.csv`.

    target: the column of metadata.csv; without it class folders count first.
    named: split → its folder, where folders' names do not say.

    Raises:
        UserError: no pictures, pictures both loose and in class folders, no train split, or a
            metadata.csv that is malformed or names files that are not there.
    """
    others: Counter[str] = Counter()
    parts, notes = _parts(path, dict(named or {}), others)
    total = sum(len(part.files) for part in parts.values())
    if total == 0:
        raise _no_pictures(path, others)
    for split, part in parts.items():
        if not part.files:
            raise UserError(f"the {split} split, {part.root}, holds no pictures.")
    if others:
        kinds = ", ".join(sorted(others))
        notes.append(f"{others.total():,} files that are not pictures were left out ({kinds})")
    # Names go to messages and tables: what is not Unicode in them must not stop those.
    files = [file for part in parts.values() for file in part.files]
    names = [f.removeprefix(f"{path}/").encode("utf-8", "replace").decode() for f in files]
    targets, labelled, column = _targets(path, parts, target, notes)
    whole = Samples([Path(file) for file in files], targets, labelled, names)
    ends = np.cumsum([len(part.files) for part in parts.values()])
    splits = {
        split: whole.take(np.arange(end - len(part.files), end))
        for (split, part), end in zip(parts.items(), ends, strict=True)
    }
    return Dataset(str(path), "image", splits, column, notes=notes)


def _parts(
    path: Path, named: dict[str, Path], others: Counter[str]
) -> tuple[dict[str, _Part], list[str]]:
    """The pictures of each split, and notes on folders that were left out."""
    folders = dict(named)
    taken = {folder.resolve() for folder in named.values()}
    rest = []
    for name in _list(path)[0]:
        split = SPLIT_NAMES.get(name.lower())
        if (path / name).resolve() in taken:
            continue
        if split is None:
            rest.append(name)
        elif split not in folders:
            folders[split] = path / name
        elif split not in named:
            raise UserError(
                f"{path} has two {split} splits: {folders[split].name} and {name}.",
                f"Say which with --{split}.",
            )
    parts = {split: _scan(folder, others) for split, folder in folders.items()}
    notes: list[str] = []
    if "train" in parts:
        _beside(path, rest, parts["train"], others, notes)
    else:
        parts["train"] = _scan(path, others, rest)
        if folders and not parts["train"].files:
            raise UserError(
                f"{path} has pictures of {', '.join(folders)} only, none to train on.",
                "Say which folder to train on with --train.",
            )
    return {split: parts[split] for split in SPLITS if split in parts}, notes


def _beside(
    path: Path, folders: list[str], train: _Part, others: Counter[str], notes: list[str]
) -> None:
    """What lies beside a train folder: unlabelled pictures join it, others are noted or refused."""
    loose = _pictures(_list(path)[1], Counter())
    if loose:
        raise UserError(
            f"{path} is mixed: {len(loose):,} pictures lie loose ({loose[0]}) beside splits.",
            "Move them into the train folder, or into one called unlabelled.",
        )
    for name in folders:
        if name.lower() in UNLABELLED:
            _add(train, path / name, None, others)
    unread = [name for name in folders if name.lower() not in UNLABELLED]
    if unread:
        notes.append(f"folders that are no split were left out: {', '.join(unread[:5])}")


def _scan(root: Path, others: Counter[str], only: list[str] | None = None) -> _Part:
    """The pictures in a folder: loose, or in class folders (all of them, or `only` some).

    Raises:
        UserError: both, without a metadata.csv that could tell what each is.
    """
    folders, files = _list(root)
    part = _Part(root)
    loose = _pictures(files, others)
    for name in folders if only is None else only:
        _add(part, root / name, None if name.lower() in UNLABELLED else name, others)
    inside = sorted({name for name in part.classes if name})
    if loose and inside and not (root / _METADATA).is_file():
        raise UserError(
            f"{root} is mixed: {len(loose):,} pictures lie loose ({loose[0]}) beside folders"
            f" ({', '.join(inside[:3])}).",
            "Move loose pictures into a folder called unlabelled, or into those of their classes.",
        )
    part.files += [f"{root}/{name}" for name in loose]
    part.classes += [None] * len(loose)
    return part


def _add(part: _Part, folder: Path, name: str | None, others: Counter[str]) -> None:
    found = _walk(str(folder), others, (os.path.realpath(folder.parent),))
    part.files += found
    part.classes += [name] * len(found)


def _list(folder: Path | str) -> tuple[list[str], list[str]]:
    """Names of folders and of files, hidden ones aside, in natural order."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith((".", "__MACOSX")):
                    (folders if entry.is_dir() else files).append(entry.name)
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror or error}.") from error
    return sorted(folders, key=natural), sorted(files, key=natural)


def _pictures(files: list[str], others: Counter[str]) -> list[str]:
    found = []
    for name in files:
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - Path is slow by the million
        if suffix in EXTENSIONS:
            found.append(name)
        elif name.lower() not in _CLUTTER:
            others[suffix or "no extension"] += 1
    return found


def _walk(folder: str, others: Counter[str], above: tuple[str, ...]) -> list[str]:
    """Full paths of all pictures beneath a folder."""
    real = os.path.realpath(folder)
    if real in above:  # a link back upwards: its pictures are counted already
        return []
    folders, files = _list(folder)
    found = [f"{folder}/{name}" for name in _pictures(files, others)]
    for name in folders:
        found += _walk(f"{folder}/{name}", others, (*above, real))
    return found


def natural(name: str) -> tuple[list[str | int], str]:
    """A key that sorts 2.png before 10.png; names that only differ in zeros stay apart."""
    pieces: list[str | int] = [*re.split(r"([0-9]+)", name)]
    pieces[1::2] = [int(piece) for piece in pieces[1::2]]
    return pieces, name


def _targets(
    path: Path, parts: dict[str, _Part], target: str | None, notes: list[str]
) -> tuple[NDArray[Any] | None, NDArray[np.bool_] | None, str | None]:
    """Targets of all splits one after another, which are known, and their column's name."""
    by_folder = [name for part in parts.values() for name in part.classes]
    classes = {name for name in by_folder if name}
    tables = [
        folder
        for folder in dict.fromkeys([path, *(part.root for part in parts.values())])
        if (folder / _METADATA).is_file()
    ]
    if len(classes) > 1 and (target is None or (not tables and target == "label")):
        if tables:
            notes.append("targets are the class folders; --target takes a column of metadata.csv")
        known = np.array([name is not None for name in by_folder])
        return np.array([name or "" for name in by_folder]), None if known.all() else known, None
    if tables:
        files = [file for part in parts.values() for file in part.files]
        values, column = read_metadata(tables, files, target)
        return (*parse_targets(values, files), column)
    if target is not None:
        raise UserError(f"{path} has no metadata.csv that could hold a column '{target}'.")
    if classes:
        notes.append(f"there is one folder, {classes.pop()}: it is no class, all are unlabelled")
    return None, None, None


def _no_pictures(path: Path, others: Counter[str]) -> UserError:
    found = ", ".join(f"{count:,} × {suffix}" for suffix, count in others.most_common(5))
    return UserError(
        f"{path} holds no pictures ({', '.join(sorted(EXTENSIONS))}).",
        f"It holds {found or 'nothing that could be read'}; a .csv or .npz is named itself.",
    )
