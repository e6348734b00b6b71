"""`.npz`: arrays by name, read without pickle.

x, y                                        (or data, images, inputs; labels, targets, target)
x_train, y_train, x_test, y_test, x_val ... (or train_x, train_images, ...)
series, series_train ...                    inputs that are series; so are any that have `lengths`
"""

from __future__ import annotations

import lzma
import math
import re
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.arrays import (
    LARGEST_DEFLATE_RATIO,
    as_inputs,
    as_targets,
    refuse_too_large,
    same_kind,
)
from headstart.data.dataset import SPLITS, Dataset, Kind, Samples
from headstart.data.mapped import Mapped
from headstart.data.series import Layout, as_mapped, as_series
from headstart.errors import UserError, nearest

SERIES = "series"
INPUTS = ("x", "data", "images", "inputs", SERIES)
LENGTHS = "lengths"
MAPPED_FROM = 2**28  # bytes from which series are left on disk until they are drawn
LOCAL_HEADER = 30  # bytes before a member's name
TARGETS = ("y", "labels", "targets", "target")
_SPLITS = {
    "train": "train",
    "test": "test",
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
}
_WORDS = "|".join(_SPLITS)
_SUFFIXED = re.compile(rf"(?P<base>.+)_(?P<split>{_WORDS})")
_PREFIXED = re.compile(rf"(?P<split>{_WORDS})_(?P<base>.+)")

# What a damaged zip, or a damaged array in it, makes the standard library and NumPy raise.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(ValueError, TypeError, KeyError, IndexError, NotImplementedError, RuntimeError, MemoryError),
    *(OverflowError, SyntaxError),
)


def read_npz(
    path: Path,
    target: str | None = None,
    *,
    kind: Kind | None = None,
    layout: Layout = "auto",
) -> Dataset:
    """Samples and targets by split.

    target: which array holds the targets (`age` means `age`, or `age_train` and `age_test`).
    kind: "series" reads `[N, T]` and `[N, C, T]` as series, which are else a table and pictures.
    layout: of series of several channels.

    Raises:
        UserError: not an .npz, no inputs in it, or arrays that cannot be samples and targets.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {i.filename.removesuffix(".npy"): i for i in archive.infolist()}
            inputs, targets, rest = _roles(path, list(members), target)
            lengths = _lengths(rest)
            large = {
                key: mapped
                for split, key in inputs.items()
                if split not in lengths
                and _is_series(key, kind)
                and (mapped := _mapped(path, archive, members[key])) is not None
            }
            arrays = {
                key: large[key] if key in large else _array(archive, members[key], f"{path}: {key}")
                for key in [*inputs.values(), *targets.values(), *lengths.values()]
            }
            rest = [key for key in rest if key not in lengths.values()]
    except _DAMAGE as error:
        raise UserError(
            f"{path} is not a readable .npz file ({_reason(error)}).",
            "Write it with numpy.savez or numpy.savez_compressed.",
        ) from error
    splits: dict[str, Samples] = {}
    found: list[tuple[str, Kind, NDArray[Any]]] = []
    x: NDArray[Any] | Mapped
    for split, key in sorted(inputs.items(), key=lambda item: SPLITS.index(item[0])):
        if key in large:
            rows = as_mapped(large[key], f"{path}: {key}", layout)
            found.append((split, "series", rows.whole))
            x = rows
        elif split in lengths or _is_series(key, kind):
            ends = arrays[lengths[split]] if split in lengths else None
            x = as_series(arrays[key], f"{path}: {key}", lengths=ends, layout=layout)
            found.append((split, "series", x))
        else:
            of, x = as_inputs(arrays[key], f"{path}: {key}")
            found.append((split, of, x))
        if split in targets:
            labels = targets[split]
            splits[split] = Samples(x, *as_targets(arrays[labels], len(x), f"{path}: {labels}"))
        else:
            splits[split] = Samples(x)
    notes = [f"arrays that were not read: {', '.join(rest)}"] if rest else []
    name = target or next((_part(key)[0] for key in targets.values()), None)
    return Dataset(str(path), same_kind(found), splits, target_name=name, notes=notes)


def _is_series(key: str, kind: Kind | None) -> bool:
    return kind == SERIES or _part(key)[0].lower() == SERIES


def _mapped(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any] | None:
    """An array that is too large to be read for nothing, where it lies; None where that is not so.

    `numpy.savez` stores arrays as they are, `savez_compressed` does not.
    """
    if info.compress_type != zipfile.ZIP_STORED or info.file_size < MAPPED_FROM:
        return None
    with archive.open(info) as file:
        shape, by_column, dtype = _header(file)
        head = file.tell()
    size = math.prod(shape) * dtype.itemsize
    usual = not by_column and dtype.kind in "uif" and len(shape) in (2, 3)
    if not usual or info.file_size - head != size:
        return None  # whoever reads it says what is wrong
    with path.open("rb") as file:
        file.seek(info.header_offset)
        local = file.read(LOCAL_HEADER)
        name, extra = struct.unpack("<HH", local[-4:])
    begin = info.header_offset + LOCAL_HEADER + name + extra + head
    return np.memmap(path, dtype, "r", begin, shape)


def _lengths(keys: list[str]) -> dict[str, str]:
    """Split → key of how long its series are."""
    parts = {key: _part(key) for key in keys}
    return {split or "train": key for key, (base, split) in parts.items() if base == LENGTHS}


def _part(key: str) -> tuple[str, str | None]:
    """An array's name, and the split it names: `x_val` → ("x", "validation")."""
    match = _SUFFIXED.fullmatch(key) or _PREFIXED.fullmatch(key)
    return (match["base"], _SPLITS[match["split"]]) if match else (key, None)


def _roles(
    path: Path, keys: list[str], target: str | None
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Split → key of inputs, split → key of targets, keys of neither."""
    inputs: dict[str, str] = {}
    targets: dict[str, str] = {}
    rest = []
    for key in keys:
        base, split = _part(key)
        wanted = target in (base, key) if target else base.lower() in TARGETS
        if wanted:
            _claim(path, targets, split or "train", key, "targets")
        elif base.lower() in INPUTS:
            _claim(path, inputs, split or "train", key, "inputs")
        else:
            rest.append(key)
    listing = ", ".join(keys) or "none"
    if not inputs:
        raise UserError(
            f"{path} has no arrays of inputs; its arrays: {listing}.",
            f"Call them x, or x_train and x_test (or {', '.join(INPUTS[1:])} likewise).",
        )
    if target and not targets:
        guess = nearest(target, {_part(key)[0] for key in rest})
        raise UserError(
            f"{path} has no array '{target}' to take targets from.",
            f"{f'Did you mean {guess}? ' if guess else ''}Its arrays: {listing}.",
        )
    for split, key in targets.items():
        if split not in inputs:
            raise UserError(f"{path} has {key}, but no inputs for the {split} split.")
    return inputs, targets, rest


def _claim(path: Path, chosen: dict[str, str], split: str, key: str, role: str) -> None:
    if split in chosen:
        raise UserError(
            f"{path}: {chosen[split]} and {key} could both be {role} of {split}.",
            "Name one with --target." if role == "targets" else "Keep one of them.",
        )
    chosen[split] = key


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> NDArray[Any]:
    """One array, once its header and the archive's directory agree on its size."""
    with archive.open(info) as file:
        shape, _, dtype = _header(file)
        if dtype.hasobject:
            raise UserError(
                f"{where} holds Python objects, which could run code when read.",
                "Save it as an array of numbers, or of text with dtype=str.",
            )
        size = math.prod(shape) * dtype.itemsize
        held = info.file_size - file.tell()
        if size != held:
            raise UserError(
                f"{where} has shape {list(shape)} and type {dtype}, which is {size:,} bytes;"
                f" the file holds {held:,}."
            )
        if not shape or 0 in shape:
            raise UserError(f"{where} is {'a single value' if not shape else 'empty'}.")
        if info.file_size > max(1024, LARGEST_DEFLATE_RATIO * archive_size(archive)):
            raise UserError(f"{where} promises more than a file of its size can hold.")
        refuse_too_large(size, where)
    with archive.open(info) as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return array


def archive_size(archive: zipfile.ZipFile) -> int:
    """Bytes of the whole archive: the most that any member was compressed to."""
    assert archive.fp is not None  # open, or its members would not be read
    position = archive.fp.tell()
    size = archive.fp.seek(0, 2)
    archive.fp.seek(position)
    return size


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Its shape, whether columns come first (Fortran's order), its type."""
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"array format {version[0]}.{version[1]}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files written by Python 2 are as good as others
        shape, by_column, dtype = readers[version](file)
    return shape, by_column, dtype


def _reason(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
