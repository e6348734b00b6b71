"""How a sample is shown on the page: a picture, a sound, a text, a row."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.dataset import Dataset, Samples
from headstart.data.files import Files, Item
from headstart.errors import UserError

LARGEST = 512  # pixels a side
RATE = 16_000  # of sounds that come as arrays, hertz


def in_words(dataset: Dataset, samples: Samples, row: int) -> dict[str, Any]:
    """What the page shows without asking further: `kind`, and `text` or `cells`."""
    if dataset.kind == "text":
        said = _item(samples, row)
        text = " ".join(map(str, said)) if isinstance(said, tuple | list) else str(said)
        return {"kind": "text", "text": text}
    if dataset.kind in ("image", "audio"):
        return {"kind": dataset.kind}
    return {"kind": "row", "cells": _cells(dataset, _item(samples, row))}


def _item(samples: Samples, row: int) -> Any:
    assert isinstance(samples.inputs, np.ndarray | Files)  # a pool holds what was taken
    return samples.inputs[row]


def _cells(dataset: Dataset, row: Any) -> list[list[str]]:
    names = row.dtype.names if isinstance(row, np.void) else None
    if names is not None:
        return [[name, _cell(row[name])] for name in names]
    flat = np.ravel(np.asarray(row, dtype=object))
    heads = list(dataset.columns or [])
    heads = heads if len(heads) == len(flat) else [str(i + 1) for i in range(len(flat))]
    return [[str(head), _cell(value)] for head, value in zip(heads, flat[:200], strict=False)]


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)


def media(dataset: Dataset, samples: Samples, row: int) -> tuple[str, bytes]:
    """The type and bytes of a picture (PNG) or a sound (WAV), made anew: no file is passed on.

    Raises:
        UserError: it cannot be read, or samples of this kind are neither.
    """
    item = _item(samples, row)
    try:
        if dataset.kind == "image":
            return "image/png", _png(item)
        if dataset.kind == "audio":
            return "audio/wav", _wav(item)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{samples.name(row)} cannot be shown: {error}.") from error
    raise UserError(f"samples of kind '{dataset.kind}' are neither pictures nor sounds.")


def _bytes(item: Item) -> bytes:
    return item.read_bytes() if isinstance(item, Path) else item.read()


def _png(item: Any) -> bytes:
    from PIL import Image

    if isinstance(item, np.ndarray):
        picture = Image.fromarray(_pixels(item))
    else:
        picture = Image.open(io.BytesIO(_bytes(item)))
        picture = picture.convert("L" if picture.mode == "L" else "RGB")
    picture.thumbnail((LARGEST, LARGEST))
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()


def _pixels(array: NDArray[Any]) -> NDArray[np.uint8]:
    """`[H, W]`, `[H, W, C]` or `[C, H, W]` → what Pillow takes."""
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype != np.uint8:
        low, high = float(array.min()), float(array.max())
        array = (array - low) * (255.0 / max(high - low, 1e-9))
    return array.astype(np.uint8)


def _wav(item: Any) -> bytes:
    import soundfile

    if isinstance(item, np.ndarray):
        wave, rate = np.asarray(item, dtype=np.float32), RATE
    else:
        wave, rate = soundfile.read(io.BytesIO(_bytes(item)), dtype="float32", always_2d=False)
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()
