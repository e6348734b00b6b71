"""Folders of files in the Hugging Face ImageFolder convention. Only paths are gathered.

photos/train/cat/1.jpg      splits (train, validation | val | valid | dev, test) are optional,
photos/test/dog/2.jpg       and so are class folders
photos/metadata.csv         or targets by `file_name`, here or in each split's folder
photos/unlabelled/3.jpg     more pictures to pre-train on, beside class folders or splits
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.cells import check_groups
from headstart.data.csvs import parse_targets
from headstart.data.dataset import SPLITS, Dataset, Kind, Samples
from headstart.data.files import Files, places
from headstart.data.listing import PICTURES, RECORDINGS, Listing, Listings, Sought
from headstart.data.manifest import SPLIT_NAMES
from headstart.data.metadata import METADATA as _METADATA
from headstart.data.metadata import read_metadata
from headstart.errors import UserError

UNLABELLED = frozenset({"unlabelled", "unlabeled"})


@dataclass
class _Part:
    """The pictures of one split, folder by folder, with the class of each folder or None."""

    root: Path
    folders: list[tuple[str, Listing, str | None]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(listing.count for _, listing, _ in self.folders)

    @property
    def classes(self) -> set[str]:
        return {name for _, listing, name in self.folders if name and listing.count}


def read_folder(
    path: Path,
    target: str | None = None,
    named: Mapping[str, Path] | None = None,
    sought: Sought = PICTURES,
    group: str | None = None,
) -> Dataset:
    """Where pictures (or what else is sought) lie, with targets from folders or `metadata.csv`.

    target: the column of metadata.csv; without it class folders count first.
    named: split → its folder, where folders' names do not say.
    group: the column of metadata.csv that says which files belong together.

    Raises:
        UserError: no pictures, pictures both loose and in class folders, no train split, or a
            metadata.csv that is malformed or names files that are not there.
    """
    others: Counter[str] = Counter()
    listings = Listings(path, sought)
    parts, notes = _Scan(path, listings, others).parts(dict(named or {}))
    listings.keep()
    if not any(part.count for part in parts.values()):
        raise _none(path, others, sought)
    for split, part in parts.items():
        if not part.count:
            raise UserError(f"the {split} split, {part.root}, holds no {sought.noun}.")
    if others:
        kinds = ", ".join(sorted(others))
        notes.append(f"{others.total():,} files that are not {sought.noun} were left out ({kinds})")
    files = _files(path, parts)
    targets, labelled, column = _targets(path, parts, files, target, notes)
    whole = Samples(files, targets, labelled, groups=_groups(path, parts, files, group))
    ends = np.cumsum([part.count for part in parts.values()])
    splits = {
        split: whole.take(np.arange(end - part.count, end))
        for (split, part), end in zip(parts.items(), ends, strict=True)
    }
    kind: Kind = "audio" if sought is RECORDINGS else "image"
    return Dataset(str(path), kind, splits, column, notes=notes)


def holds_recordings(folder: Path) -> bool:
    """Whether the first files of a folder that are one or the other are recordings, no pictures."""
    for _, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - Path is slow by the million
            if suffix in RECORDINGS.suffixes or suffix in PICTURES.suffixes:
                return suffix in RECORDINGS.suffixes
    return False


def _files(path: Path, parts: dict[str, _Part]) -> Files:
    """The pictures of all splits, one split after another."""
    folders = [entry for part in parts.values() for entry in part.folders]
    return Files(
        places(
            str(path),
            [folder for folder, _, _ in folders],
            [listing.count for _, listing, _ in folders],
            b"".join(listing.names for _, listing, _ in folders),
            stamp=[str(listing.changed) for _, listing, _ in folders],
        )
    )


@dataclass
class _Scan:
    """One reading of a folder.

    others: files that are no pictures, by suffix, counted meanwhile.
    """

    path: Path
    listings: Listings
    others: Counter[str]

    def parts(self, named: dict[str, Path]) -> tuple[dict[str, _Part], list[str]]:
        """The pictures of each split, and notes on folders that were left out."""
        path = self.path
        folders = dict(named)
        taken = {folder.resolve() for folder in named.values()}
        rest = []
        for name in self.listings.of(path).folders:
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
        parts = {split: self.part(folder) for split, folder in folders.items()}
        notes: list[str] = []
        if "train" in parts:
            self.beside(rest, parts["train"], notes)
        else:
            parts["train"] = self.part(path, rest)
            if folders and not parts["train"].count:
                del parts["train"]
        return {split: parts[split] for split in SPLITS if split in parts}, notes

    def beside(self, folders: list[str], train: _Part, notes: list[str]) -> None:
        """What lies beside a train folder: unlabelled joins it, others are noted or refused."""
        loose = self.listings.of(self.path)
        if loose.count:
            raise UserError(
                f"{self.path} is mixed: {loose.count:,} {self.listings.sought.noun} lie loose"
                f" ({loose.first()}) beside splits.",
                "Move them into the train folder, or into one called unlabelled.",
            )
        for name in folders:
            if name.lower() in UNLABELLED:
                self.add(train, self.path / name, None)
        unread = [name for name in folders if name.lower() not in UNLABELLED]
        if unread:
            notes.append(f"folders that are no split were left out: {', '.join(unread[:5])}")

    def part(self, root: Path, only: list[str] | None = None) -> _Part:
        """The pictures in a folder: loose, or in class folders (all of them, or `only` some).

        Raises:
            UserError: both, without a metadata.csv that could tell what each is.
        """
        own = self.listings.of(root)
        self.others.update(own.others)
        part = _Part(root)
        for name in own.folders if only is None else only:
            self.add(part, root / name, None if name.lower() in UNLABELLED else name)
        inside = sorted(part.classes)
        if own.count and inside and not (root / _METADATA).is_file():
            raise UserError(
                f"{root} is mixed: {own.count:,} {self.listings.sought.noun} lie loose"
                f" ({own.first()}) beside folders ({', '.join(inside[:3])}).",
                "Move the loose ones into a folder called unlabelled, or into those of their"
                " classes.",
            )
        part.folders.append((str(root), own, None))
        return part

    def add(self, part: _Part, folder: Path, name: str | None) -> None:
        """The pictures of a folder and of those in it, all of one class."""
        above = (os.path.realpath(folder.parent),)
        part.folders += [(at, found, name) for at, found in self.walk(str(folder), above)]

    def walk(self, folder: str, above: tuple[str, ...]) -> Iterator[tuple[str, Listing]]:
        """All folders that hold pictures, from one downwards."""
        real = os.path.realpath(folder)
        if real in above:  # a link back upwards: its pictures are counted already
            return
        found = self.listings.of(folder)
        self.others.update(found.others)
        if found.count:
            yield folder, found
        for name in found.folders:
            yield from self.walk(f"{folder}/{name}", (*above, real))


def _targets(
    path: Path, parts: dict[str, _Part], files: Files, target: str | None, notes: list[str]
) -> tuple[NDArray[Any] | None, NDArray[np.bool_] | None, str | None]:
    """Targets of all splits one after another, which are known, and their column's name."""
    folders = [entry for part in parts.values() for entry in part.folders]
    classes = {name for part in parts.values() for name in part.classes}
    tables = _tables(path, parts)
    if len(classes) > 1 and (target is None or (not tables and target == "label")):
        if tables:
            notes.append("targets are the class folders; --target takes a column of metadata.csv")
        counts = [listing.count for _, listing, _ in folders]
        known = np.repeat([name is not None for _, _, name in folders], counts)
        targets = np.repeat([name or "" for _, _, name in folders], counts)
        return targets, None if known.all() else known, None
    if tables:
        paths = [str(file) for file in files]
        values, column = read_metadata(tables, paths, target)
        return (*parse_targets(values, paths), column)
    if target is not None:
        raise UserError(f"{path} has no metadata.csv that could hold a column '{target}'.")
    if classes:
        notes.append(f"there is one folder, {classes.pop()}: it is no class, all are unlabelled")
    return None, None, None


def _groups(
    path: Path, parts: dict[str, _Part], files: Files, group: str | None
) -> NDArray[Any] | None:
    """What `group` says of each file.

    Raises:
        UserError: no metadata.csv has it, or it says nothing of a file of train.
    """
    if group is None:
        return None
    tables = _tables(path, parts)
    if not tables:
        raise UserError(f"{path} has no metadata.csv that could hold a column '{group}'.")
    values = np.array(read_metadata(tables, [str(file) for file in files], group)[0])
    of_split = np.repeat(list(parts), [part.count for part in parts.values()])
    train = np.flatnonzero(of_split == "train")
    check_groups(values[train], lambda i: files.label(int(train[i])), group)
    return values


def _tables(path: Path, parts: dict[str, _Part]) -> list[Path]:
    """Folders that hold a metadata.csv."""
    folders = dict.fromkeys([path, *(part.root for part in parts.values())])
    return [folder for folder in folders if (folder / _METADATA).is_file()]


def _none(path: Path, others: Counter[str], sought: Sought) -> UserError:
    found = ", ".join(f"{count:,} × {suffix}" for suffix, count in others.most_common(5))
    return UserError(
        f"{path} holds no {sought.noun} ({', '.join(sorted(sought.suffixes))}).",
        f"It holds {found or 'nothing that could be read'}; a .csv or .npz is named itself.",
    )
