"""Samples that are the same, or nearly: cosines of centred, normalised rows, block by block.

For pictures the row is a small grey picture; brightness and contrast do not matter, a shift by
a pixel does. All N²/2 cosines are computed, but never held at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.data.cells import as_texts, factorised

Pair = tuple[int, int, bool]  # two rows, and whether they are exactly the same

NEAR = 0.995  # cosine above which two pictures count as nearly the same
BLOCK = 4_096
MOST = 100_000  # pairs that are kept: a set of blank pictures has millions


def describe(rows: NDArray[np.float32], *, centre: bool) -> NDArray[np.float32]:
    """`[N, F]` → rows of unit length, less their own mean if `centre`; constant rows are zero."""
    if centre:
        rows = rows - rows.mean(axis=1, keepdims=True)
    else:  # columns of a table have units of their own
        spread = rows.std(axis=0)
        rows = (rows - rows.mean(axis=0)) / np.where(spread > 0, spread, 1)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.where(length > 1e-6, rows / np.maximum(length, 1e-6), 0.0)
    return unit.astype(np.float32)


def pairs(unit: NDArray[np.float32], near: float = NEAR) -> list[Pair]:
    """Every pair of rows of `[N, F]` whose cosine is at least `near`, at most `MOST` of them."""
    table = torch.from_numpy(unit)
    found: list[Pair] = []
    for top in range(0, len(table), BLOCK):
        for left in range(top, len(table), BLOCK):
            cosines = table[top : top + BLOCK] @ table[left : left + BLOCK].T
            for i, j in (cosines >= near).nonzero().tolist():
                one, other = top + i, left + j
                if one < other:
                    found.append((one, other, bool(np.array_equal(unit[one], unit[other]))))
                if len(found) >= MOST:
                    return found
    return found


def same_rows(tables: Sequence[NDArray[Any]]) -> list[Pair]:
    """Every pair of equal rows of structured arrays, which are counted through; at most `MOST`.

    Columns have units of their own, so no two rows count as nearly the same.
    """
    names = [n for n in tables[0].dtype.names or () if all(n in t.dtype.names for t in tables)]  # type: ignore[operator]
    codes = np.zeros(sum(map(len, tables)), dtype=np.int64)
    for name in names:
        whole = np.concatenate([as_texts(table[name]) for table in tables])
        _, column = factorised(whole)
        _, codes = np.unique(codes * (int(column.max()) + 1) + column, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    found: list[Pair] = []
    for group in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        for i, one in enumerate(group):
            found += [(int(one), int(other), True) for other in group[i + 1 :]]
            if len(found) >= MOST:
                return found[:MOST]
    return found
