"""Series as arrays `[N, C, T]` of float32: channels, then steps; NaN is where nothing was measured.

Series of different lengths stand in one array, filled up with NaN at their ends: what was not
measured and what is not there any more are the same thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headstart.data.mapped import PIECE, Mapped
from headstart.errors import UserError

Layout = Literal["auto", "channels-first", "channels-last"]


def as_series(
    array: NDArray[Any],
    where: str,
    *,
    lengths: NDArray[Any] | None = None,
    layout: Layout = "auto",
) -> NDArray[np.float32]:
    """Numbers as series `[N, C, T]`.

    array: `[N, T]`, `[N, C, T]` or `[N, T, C]`; or, where the lengths add up to its own, all
        series one after another: `[sum of lengths]` or `[sum of lengths, C]`.
    lengths: `[N]`, how many steps of each series are there.
    layout: of three dimensions; "auto" takes the shorter of the last two for the channels.

    Raises:
        UserError: no numbers, a shape or lengths that are no series', or an infinite value.
    """
    if array.dtype.kind not in "uifb":
        raise UserError(f"{where} holds {array.dtype}; series must be numbers.")
    if array.size == 0:
        raise UserError(f"{where} is empty: its shape is {list(array.shape)}.")
    counts = None if lengths is None else _counts(lengths, where)
    if counts is not None and len(counts) != len(array):
        series = _cut(array, counts, where)
    else:
        series = _float32(_axes(array, where, layout))
        if counts is not None:
            series = _ended(series, counts, where)
    refuse_infinite(series, where)
    return series


def padded(parts: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """Series `[T, C]` of their own lengths as one array `[N, C, longest]`."""
    longest = max(len(part) for part in parts)
    out = np.full((len(parts), parts[0].shape[1], longest), np.nan, dtype=np.float32)
    for i, part in enumerate(parts):
        out[i, :, : len(part)] = part.T
    return out


def steps(series: NDArray[np.float32]) -> NDArray[np.intp]:
    """Of series `[N, C, T]`, up to which step something was measured: `[N]`."""
    there: NDArray[np.bool_] = ~np.all(np.isnan(series), axis=1)  # [N, T]
    last: NDArray[np.intp] = there.shape[1] - there[:, ::-1].argmax(axis=1)
    return np.where(there.any(axis=1), last, 0)


def pieces(inputs: Any) -> Iterator[NDArray[np.float32]]:
    """Series `[N, C, T]`, in memory or not, so many at once."""
    if isinstance(inputs, Mapped):
        yield from inputs.pieces()
        return
    array = np.asarray(inputs, dtype=np.float32)
    for start in range(0, len(array), PIECE):
        yield array[start : start + PIECE]


def as_mapped(array: NDArray[Any], where: str, layout: Layout = "auto") -> Mapped:
    """An array of `as_series` that stays on disk; it is read once, to look for infinite values."""
    axes = _axes(array, where, layout)
    mapped = Mapped(axes, np.arange(len(axes)))
    for i, piece in enumerate(mapped.pieces()):
        refuse_infinite(piece, where, i * PIECE)
    return mapped


def refuse_infinite(series: NDArray[np.float32], where: str, first: int = 0) -> None:
    """Refuse a value of `[N, C, T]` that is infinite, or too large for float32.

    first: the number of the first of them.

    Raises:
        UserError: there is one.
    """
    for start in range(0, len(series), PIECE):
        bad = np.argwhere(np.isinf(series[start : start + PIECE]))
        if len(bad):
            row, channel, step = (int(i) for i in bad[0])
            raise UserError(
                f"{where} holds an infinite value in series {first + start + row}, channel"
                f" {channel}, step {step} (all counted from 0).",
                "Mend it; a value that was not measured is NaN, or an empty cell.",
            )


def _counts(lengths: NDArray[Any], where: str) -> NDArray[np.int64]:
    if lengths.ndim != 1 or lengths.dtype.kind not in "ui":
        raise UserError(
            f"{where}: its lengths have shape {list(lengths.shape)} and type {lengths.dtype};"
            " expected one whole number a series."
        )
    counts = lengths.astype(np.int64)
    if int(counts.min()) < 0:
        raise UserError(f"{where}: the length of series {int(counts.argmin())} is below 0.")
    return counts


def _cut(array: NDArray[Any], counts: NDArray[np.int64], where: str) -> NDArray[np.float32]:
    """All series one after another, `[sum, C]`, told apart by their lengths."""
    if int(counts.sum()) != len(array) or array.ndim > 2:
        raise UserError(
            f"{where} has shape {list(array.shape)}, and {len(counts):,} lengths that add up to"
            f" {int(counts.sum()):,}.",
            "Give as many lengths as series [N, C, T], or all steps one after another, [sum of"
            " lengths, C].",
        )
    flat = array.reshape(len(array), -1)
    return padded(np.split(flat, np.cumsum(counts)[:-1]))


def _axes(array: NDArray[Any], where: str, layout: Layout) -> NDArray[Any]:
    """A view `[N, C, T]`."""
    if array.ndim == 2:
        return array[:, None]
    if array.ndim != 3:
        raise UserError(
            f"{where} has shape {list(array.shape)}; expected series [N, T], or [N, C, T] with C"
            " channels.",
            "Series of different lengths: fill them up with NaN, or add an array of lengths.",
        )
    if layout == "auto":
        if array.shape[1] == array.shape[2]:
            raise UserError(
                f"{where} has shape {list(array.shape)}: either may be the channels.",
                "Say which with --set data.layout=channels-first (or channels-last).",
            )
        layout = "channels-first" if array.shape[1] < array.shape[2] else "channels-last"
    return array if layout == "channels-first" else array.transpose(0, 2, 1)


def _ended(
    series: NDArray[np.float32], counts: NDArray[np.int64], where: str
) -> NDArray[np.float32]:
    """`[N, C, T]` with NaN from each series' end on."""
    if int(counts.max()) > series.shape[2]:
        raise UserError(
            f"{where}: series {int(counts.argmax())} is said to have {int(counts.max()):,} steps;"
            f" there are {series.shape[2]:,}."
        )
    gone = np.arange(series.shape[2])[None, None] >= counts[:, None, None]
    return np.where(gone, np.float32(np.nan), series)


def _float32(array: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # found and named afterwards
        return np.ascontiguousarray(array, dtype=np.float32)
