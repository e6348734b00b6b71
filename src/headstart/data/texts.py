"""Texts: a line each, a document a file, a column of a table, or lines beside their labels.

corpus.txt                                a text a line
corpus/train.txt, valid.txt, test.txt     the same in splits
reviews/train/good/1.txt                  a document a file; splits and class folders as of pictures
tweets/train_text.txt, train_labels.txt   TweetEval's layout: a label a line, names in mapping.txt
reviews.csv, .jsonl, .parquet             with --text-column

A text is never changed here; only empty lines of files without labels are left out, and counted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.csvs import choose_target, parse_targets, read_text
from headstart.data.dataset import SPLITS, Dataset, Samples
from headstart.data.files import Files
from headstart.data.folders import read_folder
from headstart.data.listing import PICTURES, RECORDINGS, TEXTS
from headstart.data.manifest import SPLIT_NAMES, splits_of
from headstart.data.records import SUFFIXES, read_records
from headstart.errors import UserError, nearest

LONGEST = 10_000_000  # characters of one text: more is a file of another kind
LOOKED_AT = 10_000  # entries of a folder by which it is told whether it holds texts


def holds_texts(folder: Path) -> bool:
    """Whether a folder holds text files, and no pictures among its first entries."""
    found, looked = False, 0
    for _, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - Path is slow by the million
            if suffix in PICTURES.suffixes or suffix in RECORDINGS.suffixes:
                return False
            found = found or suffix in TEXTS.suffixes
        looked += len(files)
        if looked > LOOKED_AT:
            break
    return found


def read_text_folder(path: Path, target: str | None, named: Mapping[str, Path]) -> Dataset:
    """Texts of a folder in any of the layouts above.

    named: split → its folder, where folders' names do not say.

    Raises:
        UserError: a file is no text, lines and labels do not match, or splits are mixed up.
    """
    if not named and any((path / f"{name}_text.txt").is_file() for name in SPLIT_NAMES):
        return _read_paired(path)
    lines = {} if named else _split_files(path)
    if lines:
        return read_lines(lines, str(path))
    where = read_folder(path, target, named, TEXTS)
    splits = {name: _documents(samples) for name, samples in where.splits.items()}
    return Dataset(str(path), "text", splits, where.target_name, notes=where.notes)


def read_lines(paths: Mapping[str, Path], source: str) -> Dataset:
    """A text a line, from one file for each split.

    Raises:
        UserError: a file is no text, or holds none.
    """
    splits: dict[str, Samples] = {}
    notes: list[str] = []
    for split, path in paths.items():
        lines = _lines(path, notes)
        there = [i for i, line in enumerate(lines) if line.strip()]
        if not there:
            raise UserError(f"{path} holds no text: every line is empty.")
        if len(there) < len(lines):
            first = next(i for i, line in enumerate(lines) if not line.strip())
            notes.append(
                f"{path}: {len(lines) - len(there):,} empty lines were left out (the first is line"
                f" {first + 1})"
            )
        names = [f"{path.name}:{i + 1}" for i in there]
        splits[split] = Samples(text_array([lines[i] for i in there]), names=names)
    return Dataset(source, "text", splits, notes=notes)


def read_text_column(paths: Mapping[str, Path], column: str, target: str | None) -> Dataset:
    """Texts in a column of CSV, JSON lines or Parquet, one file for each split.

    A column `split` says which split a row is of, where there is one file only.

    Raises:
        UserError: a file is malformed, has no such column, or leaves the target open.
    """
    texts, names, values, where, split, chosen = [], [], [], [], [], set()
    for part, path in paths.items():
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            raise UserError(f"{path} is no {', '.join(SUFFIXES)} file: it has no columns.")
        table = read_records(path)
        if column not in table.columns:
            guess = nearest(column, table.columns)
            hint = f"Did you mean {guess}? " if guess else ""
            raise UserError(
                f"{path} has no column '{column}' of texts.",
                f"{hint}Its columns: {', '.join(table.columns)}.",
            )
        rest = [name for name in table.columns if name != column]
        by = next((n for n in rest if n.lower() == "split" and n != target), None)
        alone = len(paths) == 1
        split += splits_of(table, by) if by and alone else [part] * len(table.rows)
        label = choose_target(path, [name for name in rest if name != by], target)
        chosen.add(label)
        texts += table.column(column)
        values += [""] * len(table.rows) if label is None else table.column(label)
        names += [f"{path.name}:{line}" for line in table.lines]
        where += [f"{path}, {table.unit} {line}" for line in table.lines]
    if len(chosen) > 1:
        raise UserError(f"the files have different targets ({chosen}).", "Name it: --target.")
    for text, place in zip(texts, where, strict=True):
        _check_length(text, place)
    whole = Samples(text_array(texts), *parse_targets(values, where), names)
    of = np.array(split)
    splits = {s: whole.take(np.flatnonzero(of == s)) for s in SPLITS if (of == s).any()}
    return Dataset(str(paths["train"]), "text", splits, chosen.pop(), table.columns)


def text_array(texts: Sequence[str]) -> NDArray[Any]:
    """Texts as an array `[N]` of str objects, whatever their lengths."""
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def _split_files(path: Path) -> dict[str, Path]:
    """Text files in a folder that are called as splits are."""
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        split = SPLIT_NAMES.get(file.stem.lower())
        if split is None or file.suffix.lower() not in TEXTS.suffixes or not file.is_file():
            continue
        if split in found:
            raise UserError(
                f"{path} has two {split} splits: {found[split].name} and {file.name}.",
                f"Say which with --{split}.",
            )
        found[split] = file
    return {split: found[split] for split in SPLITS if split in found}


def _read_paired(path: Path) -> Dataset:
    """`{split}_text.txt`, and `{split}_labels.txt` where there are labels."""
    notes: list[str] = []
    names = _mapping(path / "mapping.txt")
    splits: dict[str, Samples] = {}
    for name, split in SPLIT_NAMES.items():
        file = path / f"{name}_text.txt"
        if not file.is_file():
            continue
        if split in splits:
            raise UserError(f"{path} has two {split} splits, one of them {file.name}.")
        texts = _lines(file, notes)
        labels = path / f"{name}_labels.txt"
        values = [line.strip() for line in _lines(labels, notes)] if labels.is_file() else None
        if values is None:
            values = [""] * len(texts)
            notes.append(f"{file.name} has no labels beside it")
        if len(values) != len(texts):
            short, long_ = (labels, file) if len(values) < len(texts) else (file, labels)
            first = min(len(values), len(texts)) + 1
            raise UserError(
                f"{labels} has {len(values):,} lines and {file} has {len(texts):,}: line {first:,}"
                f" of {long_.name} has no counterpart in {short.name}.",
                "Line by line, one must hold the label of the other's text.",
            )
        where = [f"{labels}, line {i + 1}" for i in range(len(values))]
        if names:
            values = [
                _named(value, names, place) for value, place in zip(values, where, strict=True)
            ]
        called = [f"{file.name}:{i + 1}" for i in range(len(texts))]
        splits[split] = Samples(text_array(texts), *parse_targets(values, where), called)
    ordered = {split: splits[split] for split in SPLITS if split in splits}
    return Dataset(str(path), "text", ordered, notes=notes)


def _mapping(path: Path) -> dict[str, str]:
    """Label numbers → names, `0<tab>anger` a line; empty where there is no such file."""
    if not path.is_file():
        return {}
    found = {}
    for i, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        cells = [cell for cell in line.strip().split("\t") if cell]
        if len(cells) < 2:
            raise UserError(f"{path}, line {i}: expected a label's number, a tab and its name.")
        found[cells[0].strip()] = cells[-1].strip()
    return found


def _named(value: str, names: Mapping[str, str], place: str) -> str:
    if value and value not in names:
        raise UserError(
            f"{place}: the label {value!r} is not in mapping.txt.", f"Known: {', '.join(names)}."
        )
    return names.get(value, "")


def _lines(path: Path, notes: list[str]) -> list[str]:
    """The lines of a text file; an end of line at its very end begins no further one.

    Raises:
        UserError: it is no UTF-8, or a line is too long, or has a carriage return in its midst.
    """
    lines = read_text(path).split("\n")
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise UserError(f"{path} is empty.")
    returns = [line.endswith("\r") for line in lines]
    if any(returns):
        lines = [line.removesuffix("\r") for line in lines]
        if not all(returns[:-1]):
            other = returns.index(not returns[0]) + 1
            notes.append(
                f"{path} mixes ends of lines: line {other} is the first to end otherwise than line"
                " 1 (CR LF or LF alone); both are taken as ends"
            )
    for i, line in enumerate(lines, start=1):
        _check_length(line, f"{path}, line {i}")
        if "\r" in line:
            raise UserError(
                f"{path}, line {i} has a carriage return in its midst: it may be several lines.",
                "End all lines with LF (or CR LF).",
            )
    return lines


def _check_length(text: str, where: str) -> None:
    if len(text) > LONGEST:
        raise UserError(
            f"{where} holds {len(text):,} characters; one text may have {LONGEST:,}.",
            "Is this a text a line? Cut it into lines, or into a file for each document.",
        )


def _documents(samples: Samples) -> Samples:
    """Whole files as texts."""
    assert isinstance(samples.inputs, Files)
    texts = []
    for item in samples.inputs:
        text = read_text(Path(str(item)))
        _check_length(text, str(item))
        texts.append(text)
    names = [samples.name(i) for i in range(len(samples))]
    return Samples(text_array(texts), samples.targets, samples.labelled, names)
