"""Texts that do not fit in memory: read line by line, as often as they are needed.

Nothing is kept of a corpus but how many texts it holds, so memory does not grow with it. Splits are
parts of whole blocks of texts, chosen by a hash of the block's number: to know which part a text is
of takes no list. Labels are not read: whoever learns from labels reads them all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.caches import fingerprint
from headstart.data.dataset import SPLITS, Dataset, Samples
from headstart.data.manifest import SPLIT_NAMES
from headstart.data.texts import LONGEST, text_array
from headstart.errors import UserError

TIMES = 6  # what texts take in memory as strings and tokens, at least, for each byte on disk
BLOCKS = 1_000  # that a corpus is cut into, about, to make splits of
MOST_BLOCK = 1_024  # texts of a block
SAMPLE = 20 * 10**6  # characters that tokenizers and lengths are learned from
READ = (".txt", ".jsonl", ".parquet")
Line = tuple[int, str]  # its number in the file, and the text


@dataclass(frozen=True)
class Rule:
    """Which blocks a part has: those whose hash is below `share`, or all others.

    depth: of rules before it, so that one seed may part a part again.
    """

    depth: int
    seed: int
    share: float
    below: bool

    def takes(self, block: int) -> bool:
        """Whether a block is of the part."""
        lot = int(fingerprint(str(self.depth), str(self.seed), str(block))[:12], 16) / 16**12
        return (lot < self.share) == self.below


@dataclass(frozen=True)
class Corpus:
    """The texts of one file, or a part of them.

    column: that holds the texts, in JSON lines and Parquet. block: texts that stay together.
    rules: all of which a part's blocks follow. count: of texts.
    """

    path: Path
    column: str | None
    block: int
    count: int
    rules: tuple[Rule, ...] = ()

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[str]:
        return (text for _, text in self.lines())

    def lines(self) -> Iterator[Line]:
        """The texts with their numbers in the file, in order."""
        number, taken = -1, True
        for i, line in enumerate(read(self.path, self.column)):
            if i // self.block != number:
                number = i // self.block
                taken = all(rule.takes(number) for rule in self.rules)
            if taken:
                yield line

    def parted(self, share: float, seed: int) -> tuple[Corpus, Corpus]:
        """The larger part, and about `share` of the texts.

        Raises:
            UserError: there are too few blocks for either.
        """
        parts = []
        for below in (False, True):
            part = replace(self, rules=(*self.rules, Rule(len(self.rules), seed, share, below)))
            parts.append(replace(part, count=sum(1 for _ in part.lines())))
        if not all(part.count for part in parts):
            raise UserError(f"{self.path} holds too few texts to set a part of them apart.")
        return parts[0], parts[1]

    def take(self, index: NDArray[np.integer[Any]]) -> tuple[NDArray[Any], list[str]]:
        """The texts of those numbers, in memory, and what they are called."""
        wanted = set(index.tolist())
        found = {
            i: line
            for i, line in enumerate(islice(self.lines(), max(wanted, default=-1) + 1))
            if i in wanted
        }
        picked = [found[int(i)] for i in index]
        names = [f"{self.path.name}:{number}" for number, _ in picked]
        return text_array([text for _, text in picked]), names

    def label(self, index: int) -> str:
        """What to call one of them in messages and tables."""
        return f"{self.path.name}, text {index}"

    def sample(self, characters: int = SAMPLE) -> list[str]:
        """Texts from all over, of about so many characters together."""
        step = max(1, -(-self.path.stat().st_size // characters))
        blocks = max(1, self.block // 8)
        found, total = [], 0
        for i, text in enumerate(self):
            if (i // blocks) % step == 0:
                found.append(text)
                total += len(text)
                if total > 2 * characters:  # Parquet is smaller on disk than its texts
                    break
        return found

    @property
    def stamp(self) -> str:
        """Changes with the file and the part."""
        about = self.path.stat()
        return fingerprint(
            str(self.path.resolve()), str(about.st_size), str(about.st_mtime_ns), str(self.column),
            str(self.block), repr(self.rules),
        )  # fmt: skip


def open_corpus(
    source: str, column: str | None, named: Mapping[str, str | None], limit: int
) -> Dataset | None:
    """A source of texts without labels, if they take more than `limit` bytes of memory; else None.

    source: a file of `READ`, or a folder with `train.txt` and other splits.
    named: split → the file that the user named for it.

    Raises:
        UserError: a line is no text; which is said.
    """
    paths = _paths(Path(source).expanduser(), column, named)
    if not paths or TIMES * sum(path.stat().st_size for path in paths.values()) <= limit:
        return None
    splits: dict[str, Samples] = {}
    notes: list[str] = []
    for split, path in paths.items():
        count = sum(1 for _ in read(path, column, notes.append))
        if count == 0:
            raise UserError(f"{path} holds no text.")
        block = max(1, min(MOST_BLOCK, count // BLOCKS))
        splits[split] = Samples(Corpus(path, column, block, count))
    notes.append(
        "these texts would not fit in the memory they may take: they are read line by line, without"
        " labels, and their tokens are kept on disk"
    )
    return Dataset(source, "text", splits, notes=notes)


def read(
    path: Path, column: str | None, notice: Callable[[str], None] = lambda _: None
) -> Iterator[Line]:
    """The texts of a file that hold anything, with their line (or row) numbers.

    Raises:
        UserError: the file is no such file, or a line is no text.
    """
    if path.suffix.lower() == ".parquet":
        assert column is not None
        return _parquet(path, column)
    return _lines(path, column, notice)


def _paths(source: Path, column: str | None, named: Mapping[str, str | None]) -> dict[str, Path]:
    """One file a split, where they are files that can be streamed; empty otherwise."""
    if source.is_dir() and column is None and not any(named.values()):
        found = {
            split: file
            for file in sorted(source.iterdir())
            if (split := SPLIT_NAMES.get(file.stem.lower())) and file.suffix.lower() == ".txt"
        }
        return {s: found[s] for s in SPLITS if s in found} if "train" in found else {}
    paths = {"train": source}
    for split, name in named.items():
        if name is not None:
            inside = source.parent / name
            paths[split] = inside if inside.exists() else Path(name).expanduser()
    fit = all(
        path.is_file()
        and path.suffix.lower() in READ
        and (path.suffix.lower() == ".txt") == (column is None)
        for path in paths.values()
    )
    return paths if fit else {}


def _lines(path: Path, column: str | None, notice: Callable[[str], None]) -> Iterator[Line]:
    empty, first = 0, 0
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(4 * LONGEST + 2):
                number += 1
                text = _text(raw, path, number)
                if column is not None and text.strip():
                    text = _cell(text, path, number, column)
                if text.strip():
                    yield number, text
                else:
                    empty, first = empty + 1, first or number
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}.") from error
    if empty:
        notice(f"{path}: {empty:,} empty lines were left out (the first is line {first})")


def _text(raw: bytes, path: Path, number: int) -> str:
    if number == 1 and raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UserError(f"{path} is UTF-16.", "Save it as UTF-8.")
    if b"\0" in raw:
        raise UserError(f"{path}, line {number} holds a NUL byte: this is not a text file.")
    try:
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}, line {number} is not UTF-8.", "Save it as UTF-8.") from error
    text = text.removesuffix("\n").removesuffix("\r")
    if len(text) > LONGEST:
        raise UserError(
            f"{path}, line {number} holds more than {LONGEST:,} characters.",
            "Is this a text a line? Cut it into lines, or into a file for each document.",
        )
    if "\r" in text:
        raise UserError(
            f"{path}, line {number} has a carriage return in its midst: it may be several lines.",
            "End all lines with LF (or CR LF).",
        )
    return text


def _cell(line: str, path: Path, number: int, column: str) -> str:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UserError(f"{path}, line {number} is not JSON ({error}).") from error
    if not isinstance(row, dict) or (column not in row and number == 1):
        columns = ", ".join(row) if isinstance(row, dict) else type(row).__name__
        raise UserError(
            f"{path}, line {number} has no '{column}' of texts.", f"It holds: {columns}."
        )
    value = row.get(column)
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return " ".join(value)
    if value is not None and not isinstance(value, str):
        raise UserError(f"{path}, line {number}, column '{column}': expected text.")
    return value or ""


def _parquet(path: Path, column: str) -> Iterator[Line]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} is not a readable Parquet file ({error}).") from error
    names: Sequence[str] = file.schema_arrow.names
    if column not in names:
        raise UserError(
            f"{path} has no column '{column}' of texts.", f"It has: {', '.join(names)}."
        )
    row = 0
    with file:
        for batch in file.iter_batches(batch_size=1_024, columns=[column]):
            for value in batch.column(0).to_pylist():
                text = " ".join(value) if isinstance(value, list) else value
                if text is not None and not isinstance(text, str):
                    raise UserError(f"{path}, row {row}, column '{column}': expected text.")
                if text and text.strip():
                    yield row, text
                row += 1
