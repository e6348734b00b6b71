"""Samples that a program holds: arrays, tensors, texts, names of files; with labels or without.

X                 [N, F] rows, [N, H, W] or [N, H, W, C] pictures, series where `kind` says so
(X, y)            with labels [N]; NaN, None, "" and -1 beside classes from 0 on: none is known
["a.png", ...]    files of pictures or recordings
["a text", ...]   texts
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.arrays import as_inputs, as_targets
from headstart.data.dataset import Dataset, Kind, Samples
from headstart.data.frames import as_table, is_frame
from headstart.data.inputs import ALONE, files_named, texts_given
from headstart.data.series import Layout, as_series
from headstart.data.tabular import from_frame
from headstart.errors import UserError

IN_MEMORY = " in memory"
ACCEPTED = (
    "Accepted: a path or a name; an array or tensor (rows [N, F]; pictures [N, H, W], [N, H, W, C]"
    " or [N, C, H, W]; with kind='series', series [N, T] or [N, C, T]); a list of texts, or of"
    " files of pictures or recordings; a pair of any of these and labels [N]; a frame of pandas,"
    " polars or pyarrow; a datasets.Dataset or DatasetDict."
)


def is_held(thing: Any) -> bool:
    """Whether it is one of the above, as far as that can be told without looking into it."""
    return isinstance(thing, list | tuple) or _is_array(thing)


def name_of(thing: Any) -> str:
    """What it is called in messages and in config.yaml."""
    if _is_pair(thing):
        return f"samples and labels{IN_MEMORY}"
    return f"{'an array' if _is_array(thing) else 'a list'}{IN_MEMORY}"


def dataset_of(thing: Any, *, kind: Kind | None = None, layout: Layout = "auto") -> Dataset:
    """Samples in memory as a data set whose one split is train.

    kind: what they are, where their form does not say. layout: of series of several channels.

    Raises:
        UserError: they are none of the above, a file is missing, or labels do not match.
    """
    x, labels = thing if _is_pair(thing) else (thing, None)
    found, samples = _samples(x, kind, layout)
    if labels is not None:
        known = as_targets(_labels(labels), len(samples), "the array of labels")
        samples = replace(samples, targets=known[0], labelled=known[1])
    return Dataset(name_of(thing), found, {"train": samples})


def as_array(thing: Any) -> NDArray[Any]:
    """An array, a tensor on any device, or what converts itself to an array.

    Raises:
        UserError: it does not convert.
    """
    try:
        if hasattr(thing, "detach"):  # of torch: where gradients are kept, NumPy refuses
            thing = thing.detach().cpu()
        return np.asarray(thing)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{type(thing).__name__} is not an array: {error}.", ACCEPTED) from error


def plain(thing: Any) -> Any:
    """Tensors as arrays, arrays and columns of texts as lists; everything else as it is."""
    if not _is_array(thing):
        return thing
    array = as_array(thing)
    return array.tolist() if array.ndim == 1 and array.dtype.kind in "OUT" else array


def _samples(x: Any, kind: Kind | None, layout: Layout) -> tuple[Kind, Samples]:
    if is_frame(x):
        table = as_table(x)
        return "table", from_frame(table, features=table.column_names).train
    x = plain(x)
    if isinstance(x, np.ndarray):
        if kind == "series":
            return "series", Samples(as_series(x, "the array", layout=layout))
        found, array = as_inputs(x, "the array")
        return found, Samples(array)
    items = list(x) if isinstance(x, list | tuple) else []
    if not items or not all(isinstance(item, str | os.PathLike) for item in items):
        said = "an empty list" if isinstance(x, list | tuple) and not items else _described(x)
        raise UserError(f"{said} holds no samples that are read.", ACCEPTED)
    found = kind or _kind_of(items)
    if found == "text":
        return found, texts_given(items)
    if found in ALONE:
        return found, files_named(items)
    raise UserError(f"a list of files or texts does not hold data of kind '{found}'.", ACCEPTED)


def _kind_of(items: Sequence[str | os.PathLike[str]]) -> Kind:
    """What a list is of: files if most are called like it, else texts.

    Raises:
        UserError: some are files of one kind and others are not.
    """
    suffixes = [os.path.splitext(os.fspath(item))[1].lower() for item in items]  # noqa: PTH122
    paths = not all(isinstance(item, str) for item in items)
    for kind, known in ALONE.items():
        named = [suffix in known for suffix in suffixes]
        if sum(named) * 2 > len(named):
            if not all(named):
                other = items[named.index(False)]
                raise UserError(f"{other} in the list is no {kind} file, as the others are.")
            return kind
    if paths:
        raise UserError(f"{items[0]} in the list is no file of a picture or recording.", ACCEPTED)
    return "text"


def _labels(labels: Any) -> NDArray[Any]:
    """Labels as an array of numbers or texts; what is missing as `as_targets` knows it."""
    array = as_array(labels)
    if array.dtype.kind not in "OT":
        return array
    values = [None if _is_missing(value) else value for value in array.tolist()]
    known = [value for value in values if value is not None]
    if all(isinstance(value, str) for value in known):
        return np.array([value or "" for value in values], dtype=str)
    whole = all(isinstance(value, int) and value >= 0 for value in known)
    return np.array([(-1 if whole else np.nan) if v is None else v for v in values])


def _is_missing(value: Any) -> bool:
    """None, and pandas' and NumPy's kinds of not a number."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or type(value).__name__ == "NAType"


def _is_pair(thing: Any) -> bool:
    return isinstance(thing, tuple) and len(thing) == 2 and not isinstance(thing[0], str | Path)


def _is_array(thing: Any) -> bool:
    return hasattr(thing, "__array__") and hasattr(thing, "dtype") and not is_frame(thing)


def _described(thing: Any) -> str:
    if isinstance(thing, list | tuple):
        other = next(item for item in thing if not isinstance(item, str | os.PathLike))
        return f"a list of {type(other).__name__}"
    return f"a value of type {type(thing).__name__}"
