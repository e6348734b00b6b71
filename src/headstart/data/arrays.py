"""What arrays must be before they count as samples: layouts, finite numbers, targets."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.dataset import Kind
from headstart.errors import UserError

CHANNELS = (1, 3, 4)
# No deflate stream grows by more than this: a header that promises more lies.
LARGEST_DEFLATE_RATIO = 1032


def as_inputs(array: NDArray[Any], where: str) -> tuple[Kind, NDArray[Any]]:
    """Samples in the layout that the modalities read, and which of them does.

    array: `[N, F]` (a table), `[N, H, W]`, `[N, H, W, C]` or `[N, C, H, W]` (pictures).
    where: what to call the array in messages.

    Returns: "table" with `[N, F]`, or "image" with `[N, H, W]` or `[N, H, W, C]`.

    Raises:
        UserError: no numbers, no samples, a shape nobody reads, NaN or infinity.
    """
    if array.dtype.kind not in "uifb":
        raise UserError(f"{where} holds {array.dtype}; samples must be numbers.")
    if array.ndim not in (2, 3, 4):
        raise UserError(
            f"{where} has shape {list(array.shape)}; expected [N, F] for a table,"
            " or [N, H, W], [N, H, W, C] or [N, C, H, W] for pictures."
        )
    if array.size == 0:
        raise UserError(f"{where} is empty: its shape is {list(array.shape)}.")
    _refuse_infinite(array, where)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8) * np.uint8(1 if array.ndim == 2 else 255)
    elif not array.dtype.isnative or array.dtype.itemsize > 8:  # torch takes neither
        array = array.astype(np.float64 if array.dtype.itemsize > 8 else array.dtype.newbyteorder())
    if array.ndim == 2:
        return "table", array
    return "image", _channels_last(array, where)


def _channels_last(array: NDArray[Any], where: str) -> NDArray[Any]:
    if array.ndim == 3:
        return array
    last, first = array.shape[3] in CHANNELS, array.shape[1] in CHANNELS
    if last == first:
        reason = (
            "the channels may come first or last"
            if last
            else "neither the second nor the last dimension is 1, 3 or 4 channels"
        )
        raise UserError(
            f"{where} has shape {list(array.shape)}: {reason}.",
            "Give pictures as [N, H, W], or [N, H, W, C] whose height is not 1, 3 or 4.",
        )
    if first:
        array = np.ascontiguousarray(np.moveaxis(array, 1, 3))
    return array[..., 0] if array.shape[3] == 1 else array


def _refuse_infinite(array: NDArray[Any], where: str) -> None:
    if array.dtype.kind != "f":
        return
    # By pieces: a mask of the whole would be a second copy of large data.
    step = max(1, 2**22 // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), step):
        bad = np.argwhere(~np.isfinite(array[start : start + step]))
        if len(bad):
            row, *rest = (int(i) for i in bad[0])
            value = array[(start + row, *rest)]
            place = f"column {rest[0]}" if array.ndim == 2 else f"position {rest}"
            raise UserError(
                f"{where} holds {value} in row {start + row}, {place} (both counted from 0).",
                "Fill in or remove such rows; every number must be finite.",
            )


def as_targets(
    array: NDArray[Any], samples: int, where: str
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Targets `[N]` of int64, float64 or str, and where they are known (None: everywhere).

    NaN, an empty string, and -1 beside classes from 0 upwards mean that there is no label.

    Raises:
        UserError: not one target for each sample, or values of a kind that no task learns.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise UserError(
            f"{where} has shape {list(array.shape)}; expected one target a sample: [{samples}].",
            "One-hot rows become classes with numpy's argmax(axis=1).",
        )
    if len(array) != samples:
        raise UserError(f"{where} has {len(array):,} targets for {samples:,} samples.")
    if array.dtype.kind in "iub":
        if array.dtype.kind == "u" and int(array.max()) > np.iinfo(np.int64).max:
            raise UserError(f"{where} holds {int(array.max())}, which is too large a number.")
        targets: NDArray[Any] = array.astype(np.int64)
        known = targets != -1 if targets.min() == -1 else np.ones(samples, dtype=bool)
    elif array.dtype.kind == "f":
        targets = array.astype(np.float64)
        known = ~np.isnan(targets)
        if np.isinf(targets).any():
            raise UserError(f"{where} is infinite in row {int(np.isinf(targets).argmax())}.")
    elif array.dtype.kind in "US":
        targets = _as_text(array, where)
        known = targets != ""
    else:
        raise UserError(f"{where} holds {array.dtype}; targets must be numbers or text.")
    return targets, None if known.all() else known


def _as_text(array: NDArray[Any], where: str) -> NDArray[Any]:
    try:
        return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array.astype(str)
    except UnicodeDecodeError as error:
        raise UserError(f"{where} holds text that is not UTF-8: {error.object!r}.") from error


def same_kind(shapes: Sequence[tuple[str, Kind, NDArray[Any]]]) -> Kind:
    """The kind that all splits share.

    shapes: name, kind and inputs of each split.

    Raises:
        UserError: a table in one split and pictures in another, or tables of different widths,
            or series of different channels.
    """
    name, kind, inputs = shapes[0]
    for other, other_kind, other_inputs in shapes[1:]:
        width_differs = kind == "table" and inputs.shape[1:] != other_inputs.shape[1:]
        width_differs |= kind == "series" and inputs.shape[1] != other_inputs.shape[1]
        if kind != other_kind or width_differs:
            raise UserError(
                f"the splits do not match: a sample of {name} has shape {list(inputs.shape[1:])},"
                f" one of {other} {list(other_inputs.shape[1:])}."
            )
    return kind


def refuse_too_large(size: int, where: str) -> None:
    """Stop before an array that cannot fit is read.

    Raises:
        UserError: `size` bytes exceed this machine's memory.
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not told on every platform
        return
    if size > memory:
        raise UserError(
            f"{where} holds {size / 2**30:,.1f} GiB; this machine has"
            f" {memory / 2**30:,.1f} GiB of memory."
        )


def as_grey(array: NDArray[Any]) -> NDArray[np.float32]:
    """Pictures `[N, H, W]` or `[N, H, W, C]` → float32 `[N, H, W]`; transparency is left out."""
    if array.ndim == 3:
        return array.astype(np.float32)
    grey: NDArray[np.float32] = array[..., :3].astype(np.float32).mean(axis=-1)
    return grey
