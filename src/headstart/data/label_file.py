"""A file of labels beside the data: which samples of train are labelled, and how.

A CSV file with a column `name` (as `headstart label`, `predict` and messages call a sample) and a
column `label`; an empty label stands for the one that the data have. The budget of a fine-tuning
consists of exactly these.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.csvs import kind_of_targets
from headstart.data.dataset import Samples
from headstart.errors import UserError, nearest

NAME, LABEL = "name", "label"


def read(path: Path) -> dict[str, str]:
    """Labels by sample, "" where the data's own is meant.

    Raises:
        UserError: the file cannot be read, lacks a column, or names a sample twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except OSError as error:
        raise UserError(f"cannot read the labels file {path}: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"the labels file {path} is no CSV file in UTF-8: {error}.") from error
    found: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        name, label = row.get(NAME), row.get(LABEL)
        if name is None or label is None:
            raise UserError(
                f"{path}, line {line}: expected the columns '{NAME}' and '{LABEL}', as `headstart"
                " label` writes them."
            )
        if name in found:
            raise UserError(f"{path}, line {line}: '{name}' is there twice.")
        found[name] = label.strip()
    if not found:
        raise UserError(f"the labels file {path} names no sample.")
    return found


def labelled_by(samples: Samples, path: Path) -> Samples:
    """The samples with the labels of a file, and no others.

    Raises:
        UserError: the file names a sample that is not there, or leaves one without a label.
    """
    found = read(path)
    rows = {samples.name(i): i for i in range(len(samples))}
    unknown = [name for name in found if name not in rows]
    if unknown:
        guess = nearest(unknown[0], list(rows)[:10_000])
        raise UserError(
            f"{path} names {len(unknown):,} samples that train does not have, such as"
            f" '{unknown[0]}'.",
            f"Samples are called as '{guess or samples.name(0)}' here.",
        )
    own = samples.has_label
    empty = [name for name, label in found.items() if not label and not own[rows[name]]]
    if empty:
        raise UserError(
            f"{path}: {len(empty):,} of {len(found):,} samples have no label yet, such as"
            f" '{empty[0]}'.",
            "Fill in the column 'label', or remove those rows.",
        )
    where = np.array([rows[name] for name in found])
    mask = np.zeros(len(samples), dtype=bool)
    mask[where] = True
    return replace(samples, targets=_targets(samples, where, list(found.values()), path),
                   labelled=mask)  # fmt: skip


def _targets(
    samples: Samples, where: NDArray[np.intp], labels: Sequence[str], path: Path
) -> NDArray[Any]:
    """`[N]`, as the data have theirs where they have some."""
    if samples.targets is None:
        values = _parsed(labels)
        targets = np.zeros(len(samples), dtype=values.dtype)
        targets[where] = values
        return targets
    own = samples.targets
    given = [i for i, label in enumerate(labels) if label]
    if not given:
        return own
    values = np.array([labels[i] for i in given])
    if own.dtype.kind not in "UO":
        odd = [label for label in values.tolist() if not _is_like(label, own)]
        if odd:
            raise UserError(f"{path}: the label '{odd[0]}' is not such a number as the data have.")
        values = values.astype(own.dtype)
    targets = own.astype(np.result_type(own, values)) if own.dtype.kind == "U" else own.copy()
    targets[where[given]] = values
    return targets


def _is_like(label: str, own: NDArray[Any]) -> bool:
    """Whether a label is a number as the data's are: 07 is another label than 7."""
    kind = kind_of_targets([label])
    return kind == "whole" or (kind == "number" and own.dtype.kind == "f")


def _parsed(labels: Sequence[str]) -> NDArray[Any]:
    """Whole numbers, numbers, or words, as columns of data are read."""
    numbers = {"whole": np.int64, "number": np.float64}
    kind = numbers.get(kind_of_targets(labels))
    return np.array(labels) if kind is None else np.array(labels).astype(kind)
