"""Texts that come in words, with a tag for each: CoNLL files, and JSON lines or Parquet of lists.

eng.conll                       a word a line, its tag last; sentences part at blank lines
train.conll, dev.conll ...      the same in splits, in a folder
ner.jsonl, ner.parquet          {"tokens": ["John", "lives"], "tags": ["B-PER", "O"]} a sentence

A sample's input is a tuple of words, its target the tags as one string, parted by spaces.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.csvs import read_text
from headstart.data.dataset import SPLITS, Dataset, Samples
from headstart.data.manifest import SPLIT_NAMES
from headstart.errors import UserError, nearest

CONLL = (".conll", ".bio", ".iob")
LISTS = (".jsonl", ".parquet")
USUAL_WORDS = ("tokens", "words")
USUAL_TAGS = ("tags", "ner_tags", "labels", "pos_tags")
DOCUMENT = "-DOCSTART-"  # a line of CoNLL 2003 that is no word

Sentence = tuple[tuple[str, ...], str | None, str]  # words, tags or None, where it stands


def as_words(sentences: Sequence[tuple[str, ...]]) -> NDArray[Any]:
    """Tuples of words as an array `[N]` of objects."""
    array = np.empty(len(sentences), dtype=object)
    for i, words in enumerate(sentences):
        array[i] = words
    return array


def split_words(samples: Samples) -> Samples:
    """The samples with every text as a tuple of words: as it comes, or parted at white space."""
    assert isinstance(samples.inputs, np.ndarray)
    whole = [t if isinstance(t, tuple) else tuple(t.split()) for t in samples.inputs.tolist()]
    return Samples(as_words(whole), samples.targets, samples.labelled, samples.names)


def holds_lists(path: Path, column: str | None) -> bool:
    """Whether a file has a column of words: the one named, or one that is called as usual."""
    wanted = (column,) if column else USUAL_WORDS
    match path.suffix.lower():
        case ".jsonl":
            first = _first_line(path)
            return any(isinstance(first.get(name), list) for name in wanted)
        case ".parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            try:
                schema = pq.read_schema(path)
            except (pa.ArrowException, OSError):
                return False  # whoever reads it says so
            return any(f.name in wanted and pa.types.is_list(f.type) for f in schema)
    return False


def conll_files(folder: Path) -> dict[str, Path]:
    """CoNLL files in a folder that are called as splits are; empty where there is none."""
    found = {}
    for file in sorted(folder.iterdir()):
        split = SPLIT_NAMES.get(file.stem.lower())
        if split is not None and file.suffix.lower() in CONLL and file.is_file():
            if split in found:
                raise UserError(f"{folder} has two {split} splits, one of them {file.name}.")
            found[split] = file
    return {split: found[split] for split in SPLITS if split in found}


def read_conll(paths: Mapping[str, Path], source: str) -> Dataset:
    """Words and tags, one CoNLL file for each split.

    Raises:
        UserError: a file is no text, holds no words, or its lines differ in their columns.
    """
    return _dataset({s: list(_sentences(p)) for s, p in paths.items()}, source, None)


def read_lists(
    paths: Mapping[str, Path], column: str | None, target: str | None, source: str
) -> Dataset:
    """Words and tags in columns of lists, one JSON lines or Parquet file for each split.

    Raises:
        UserError: a file is malformed or lacks a column, or a sentence has not a tag a word.
    """
    parts, chosen = {}, set()
    for split, path in paths.items():
        rows = list(_rows(path))
        columns = list(dict.fromkeys(name for _, row in rows for name in row))
        words = column or next((n for n in USUAL_WORDS if n in columns), None)
        if words is None:
            raise UserError(
                f"{path} has no column of words ({', '.join(USUAL_WORDS)}).",
                f"Name it with --text-column: {', '.join(columns)}.",
            )
        tags = _tag_column(path, columns, target)
        chosen.add(tags)
        parts[split] = [_listed(row, words, tags, where) for where, row in rows]
    if len(chosen) > 1:
        raise UserError(
            f"the files have different columns of tags ({chosen}).", "Name it: --target."
        )
    return _dataset(parts, source, chosen.pop())


def check_counts(samples: Samples) -> None:
    """Every labelled sample has as many tags as words.

    samples: as `split_words` makes them, targets parted by spaces.

    Raises:
        UserError: one has not; it is named.
    """
    if samples.targets is None or samples.targets.dtype.kind not in "OU":
        return
    assert isinstance(samples.inputs, np.ndarray)
    for i in np.flatnonzero(samples.has_label).tolist():
        words, tags = len(samples.inputs[i]), len(str(samples.targets[i]).split())
        if words != tags:
            raise UserError(
                f"{samples.name(i)} has {words:,} words and {tags:,} tags.",
                "A tag for each word, parted by spaces.",
            )


def _dataset(parts: Mapping[str, Sequence[Sentence]], source: str, target: str | None) -> Dataset:
    splits = {}
    for split, sentences in parts.items():
        if not sentences:
            raise UserError(f"{source} holds no words in its {split} split.")
        words, tags, names = zip(*sentences, strict=True)
        known = np.array([one is not None for one in tags])
        targets = np.array(["" if one is None else one for one in tags], dtype=object)
        splits[split] = Samples(
            as_words(words),
            targets if known.any() else None,
            None if known.all() else known,
            list(names),
        )
    return Dataset(source, "text", splits, target, task="tagging")


def _sentences(path: Path) -> Iterator[Sentence]:
    """The sentences of a CoNLL file; of one column alone, there are no tags."""
    words: list[str] = []
    tags: list[str] = []
    width, begun, found = None, 0, False
    # Not `splitlines`: tweets hold characters that it takes for ends of lines.
    for number, line in enumerate([*read_text(path).split("\n"), ""], start=1):
        cells = line.split("\t") if "\t" in line else line.split()
        cells = [cell.strip() for cell in cells]
        if not any(cells) or cells[0] == DOCUMENT:
            if words:
                found = True
                yield tuple(words), " ".join(tags) if width != 1 else None, f"{path.name}:{begun}"
            words, tags = [], []
            continue
        width = width or len(cells)
        if len(cells) != width or not cells[0] or not cells[-1] or " " in cells[-1]:
            raise UserError(
                f"{path}, line {number}: {line.strip()[:60]!r} has {len(cells)} columns; the first"
                f" line has {width}.",
                "Expected a word a line, its tag in the last column, and blank lines between"
                " sentences.",
            )
        begun = begun if words else number
        words.append(cells[0])
        tags.append(cells[-1])
    if not found:
        raise UserError(f"{path} holds no words.")


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each row stands, and what it holds."""
    if path.suffix.lower() == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            rows = pq.read_table(path).to_pylist()
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{path} is not a readable Parquet file ({error}).") from error
        yield from ((f"{path.name}:{i}", row) for i, row in enumerate(rows))
    else:
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if line.strip():
                yield f"{path.name}:{number}", _object(line, f"{path}, line {number}")


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UserError(
            f"{where} is not JSON ({error}).",
            "A .jsonl file has one whole JSON object on each line.",
        ) from error
    if not isinstance(row, dict):
        raise UserError(f"{where}: expected a JSON object, found {type(row).__name__}.")
    return row


def _first_line(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            row = json.loads(file.readline(2**24))
    except (OSError, ValueError):
        return {}  # whoever reads it says so
    return row if isinstance(row, dict) else {}


def _tag_column(path: Path, columns: Sequence[str], target: str | None) -> str | None:
    if target is None:
        return next((name for name in USUAL_TAGS if name in columns), None)
    if target not in columns:
        guess = nearest(target, columns)
        raise UserError(
            f"{path} has no column '{target}' of tags.",
            f"{f'Did you mean {guess}? ' if guess else ''}Its columns: {', '.join(columns)}.",
        )
    return target


def _listed(row: dict[str, Any], column: str, target: str | None, where: str) -> Sentence:
    words, tags = row.get(column), None if target is None else row.get(target)
    if not isinstance(words, list) or not words:
        raise UserError(f"{where}, column '{column}': expected a list of words.")
    if not all(isinstance(word, str) for word in words):
        raise UserError(f"{where}, column '{column}': every word must be text.")
    if tags is None:
        return tuple(words), None, where
    if not isinstance(tags, list) or len(tags) != len(words):
        count = len(tags) if isinstance(tags, list) else type(tags).__name__
        raise UserError(f"{where} has {len(words):,} words and {count} tags; a tag for each word.")
    named = [str(tag) for tag in tags]
    if bad := next((tag for tag in named if not tag or len(tag.split()) != 1), None):
        raise UserError(f"{where}, column '{target}': the tag {bad!r} has white space in it.")
    return tuple(words), " ".join(named), where
