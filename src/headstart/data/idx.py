"""IDX, the format of MNIST: a magic number, dimensions, then the numbers themselves.

    00 00 | dtype code | number of dimensions | each dimension, 4 bytes | data, all big-endian

A folder pairs `train-images*` with `train-labels*`, `t10k-*` or `test-*`, `validation-*`.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

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
from headstart.errors import UserError, unknown

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_DIMENSIONS = 8
GZIP_MAGIC = b"\x1f\x8b"
PIECE = 1 << 24

_FILE = re.compile(
    r"(?P<prefix>.+?)[-_.](?P<role>images|labels)(?:[-_.]idx\d*(?:-ubyte)?)?(?:\.gz)?", re.I
)
_SPLIT = re.compile(r"(?:.*[-_.])?(train|t10k|test|validation|valid|val|dev)", re.I)
_SPLIT_NAMES = {
    "train": "train",
    "t10k": "test",
    "test": "test",
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
}


def read_idx(path: Path) -> NDArray[Any]:
    """The array that an IDX file holds, gzipped or not, in the machine's byte order.

    Raises:
        UserError: the file cannot be read, or is not exactly one IDX array.
    """
    try:
        with path.open("rb") as raw:
            size = path.stat().st_size
            if raw.read(2) != GZIP_MAGIC:
                raw.seek(0)
                return _read(raw, path, size)
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) as file:
                return _read(cast(BinaryIO, file), path, size * LARGEST_DEFLATE_RATIO)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(
            f"{path} is a damaged gzip file ({error}).", "Download it again."
        ) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}.") from error


def _read(file: BinaryIO, path: Path, most: int) -> NDArray[Any]:
    """most: bytes that the file can hold at best, whatever its header claims."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES:
        raise UserError(
            f"{path} is not an IDX file: it begins with {magic.hex(' ') or 'nothing'},"
            " expected 00 00, then a type (08, 09, 0b to 0e), then the number of dimensions."
        )
    if not 1 <= magic[3] <= MOST_DIMENSIONS:
        raise UserError(f"{path} has {magic[3]} dimensions; expected 1 to {MOST_DIMENSIONS}.")
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise UserError(f"{path} ends within its header, after {4 + len(header)} bytes.")
    shape = [int(d) for d in np.frombuffer(header, ">u4")]
    dtype = np.dtype(DTYPES[magic[2]])
    expected = math.prod(shape) * dtype.itemsize
    if expected == 0:
        raise UserError(f"{path} holds no items: its shape is {shape}.")
    promise = f"its header promises {expected:,} bytes of data (shape {shape}, {dtype.name})"
    if expected > most:
        raise UserError(f"{path} is truncated: {promise}, more than a file of its size can hold.")
    refuse_too_large(expected, str(path))
    data = bytearray()  # grows with what is there, not with what is claimed; and is writable
    while len(data) < expected and (piece := file.read(min(PIECE, expected - len(data)))):
        data += piece
    if len(data) < expected:
        raise UserError(f"{path} is truncated: {promise}, found {len(data):,}.")
    if file.read(1):
        raise UserError(f"{path} has bytes beyond its end: {promise}, and more follow.")
    array = np.frombuffer(data, dtype).reshape(shape)
    return array if dtype.itemsize == 1 else array.astype(dtype.newbyteorder("="))


@dataclass
class _Pair:
    """Files that share a prefix."""

    images: Path | None = None
    labels: Path | None = None


def _pairs(folder: Path) -> dict[str, _Pair]:
    """Images and labels by prefix: `train`, `t10k`, ... in order of name."""
    pairs: dict[str, _Pair] = {}
    for path in sorted(folder.iterdir()):
        match = _FILE.fullmatch(path.name)
        if path.name.startswith(".") or match is None or not path.is_file():
            continue
        pair = pairs.setdefault(match["prefix"], _Pair())
        role = match["role"].lower()
        before: Path | None = getattr(pair, role)
        # torchvision leaves train-images-idx3-ubyte beside its .gz: one file, twice.
        if before is not None and path.name != f"{before.name}.gz":
            raise UserError(
                f"{folder} has two files for the same {role}: {before.name} and {path.name}.",
                "Keep one of them.",
            )
        if before is None:
            setattr(pair, role, path)
    return pairs


def is_idx_folder(path: Path) -> bool:
    """Whether a folder holds files named as MNIST's are."""
    return path.is_dir() and any(pair.images for pair in _pairs(path).values())


def read_idx_folder(path: Path, named: Mapping[str, str] | None = None) -> Dataset:
    """Pictures (or rows) with their labels, by split; images without a labels file are unlabelled.

    named: split → prefix of its files, where names alone do not say (`{"test": "extra"}`).

    Raises:
        UserError: a file is malformed, labels do not match images, or nothing is a train split.
    """
    pairs = _pairs(path)
    prefixes, notes = _choose(path, pairs, named or {})
    splits: dict[str, Samples] = {}
    found: list[tuple[str, Kind, NDArray[Any]]] = []
    for split, prefix in prefixes.items():
        images, labels = pairs[prefix].images, pairs[prefix].labels
        if images is None:
            raise UserError(f"{labels} has no {prefix}-images file beside it.")
        kind, inputs = as_inputs(read_idx(images), str(images))
        found.append((split, kind, inputs))
        if labels is None:
            splits[split] = Samples(inputs)
            notes.append(f"{split} has no labels file: it is unlabelled")
        else:
            targets = read_idx(labels)
            if len(targets) != len(inputs):
                raise UserError(
                    f"{labels} has {len(targets):,} labels; {images.name} has"
                    f" {len(inputs):,} images. They must be equal."
                )
            splits[split] = Samples(inputs, *as_targets(targets, len(inputs), str(labels)))
    return Dataset(str(path), same_kind(found), splits, notes=notes)


def _choose(
    path: Path, pairs: dict[str, _Pair], named: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Split → prefix, and notes on what was left out."""
    for prefix in named.values():
        if prefix not in pairs:
            raise unknown(f"IDX file in {path} that begins with", prefix, list(pairs))
    chosen = dict(named)
    notes = []
    for prefix in pairs:
        if prefix in named.values():
            continue
        match = _SPLIT.fullmatch(prefix)
        split = _SPLIT_NAMES[match[1].lower()] if match else None
        if split in named:
            continue
        if split is None:
            notes.append(f"files that begin with {prefix} were left out: no split has that name")
        elif split in chosen:
            raise UserError(
                f"{path} has two {split} splits: {chosen[split]}-images and {prefix}-images.",
                f"Say which with --{split} {prefix}.",
            )
        else:
            chosen[split] = prefix
    if not chosen:
        raise UserError(
            f"{path} has no images of any split; its files begin with {', '.join(pairs)}.",
            "Say which to train on with --train.",
        )
    return {split: chosen[split] for split in SPLITS if split in chosen}, notes
