"""Samples made ready for training and judging: in memory where they fit, else streamed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from headstart.data import memory
from headstart.data.bucketed import Bucketed
from headstart.data.corpus import Corpus
from headstart.data.dataset import Samples
from headstart.data.decoding import Decoding
from headstart.data.files import Files, Places
from headstart.data.loader import Loader, Resident
from headstart.data.mapped import PIECE, Mapped
from headstart.data.mapped_loader import MappedRows
from headstart.data.rows import DiskRows, kept_rows
from headstart.data.streamed import Reader, Streamed, read_resident
from headstart.errors import UserError
from headstart.modalities.base import Modality, Streaming
from headstart.settings.sizes import in_words
from headstart.workflows.assemble import Say
from headstart.workflows.config import DataConfig

Rows = Callable[..., tuple[Tensor, list[int]]]
NOTHING = "it holds nothing"
MOST_AHEAD = 2**28  # bytes of batches read ahead: more would not be faster


class Supply:
    """A loader for each split; to be closed.

    splits: name → samples, with 'train' drawn in the order of `seed`.
    batch_size: samples a step, two of which must fit in memory.
    notes: what was chosen, and what was left out, for the user.
    rows: how samples that come as arrays become tensors; by default the modality's `tensor`.
    say: told of damaged samples that are met later, while they are streamed.
    """

    def __init__(
        self,
        splits: Mapping[str, Samples],
        modality: Modality,
        config: DataConfig,
        *,
        seed: int,
        batch_size: int,
        say: Say = lambda _: None,
        rows: Rows | None = None,
    ) -> None:
        """Read what fits, open the rest.

        Raises:
            UserError: a sample is damaged and may not be skipped, or `--max-memory` is too small.
        """
        self.samples = dict(splits)
        self.loaders: dict[str, Loader] = {}
        self.notes: list[str] = []
        self._config = config
        self._modality = modality
        self._seed = seed
        self._say = say
        self._rows = rows or modality.tensor
        self._readers: dict[int, Reader] = {}
        self._passing: list[Path] = []  # files that go when this does
        try:
            self._fill(batch_size)
        except BaseException:
            self.close()
            raise

    def _fill(self, batch_size: int) -> None:
        asked = self._config.max_memory
        limit = asked.amount if asked else round(memory.SHARE * memory.available())
        decoding = self._modality.decoding
        encoded: dict[str, Files] = {}
        held = 0
        for name, samples in self.samples.items():
            if isinstance(samples.inputs, np.ndarray):
                held += samples.inputs.nbytes
                x, bad = self._rows(samples, on_bad=self._config.on_bad)
                self.loaders[name] = self._resident(x, dict.fromkeys(bad, NOTHING))
            elif isinstance(samples.inputs, Mapped):
                held += self._from_disk(name, samples, limit - held)
            elif isinstance(samples.inputs, Corpus):
                held += self._written(name, samples.inputs)
            else:
                encoded[name] = samples.inputs
        if asked and held > limit:
            raise UserError(
                f"--max-memory {asked}: these samples come as arrays, which are held in memory and"
                f" take {in_words(held)}.",
                "Allow more, or give samples as files, which are streamed.",
            )
        if encoded and decoding is not None:
            self._choose(encoded, decoding, limit - held, batch_size)

    def _from_disk(self, name: str, samples: Samples, room: int) -> int:
        """Rows of an array on disk, read at once if they fit; returns bytes that they take."""
        assert isinstance(samples.inputs, Mapped)
        size, on_bad = samples.inputs.nbytes, self._config.on_bad
        if size <= room:
            x, bad = self._rows(samples, on_bad=on_bad)
            self.loaders[name] = self._resident(x, dict.fromkeys(bad, NOTHING))
            return size
        found: dict[int, str] = {}
        for start in range(0, len(samples), PIECE):
            part = samples.take(np.arange(start, min(start + PIECE, len(samples))))
            found |= {start + i: NOTHING for i in self._rows(part, on_bad=on_bad)[1]}

        def read(index: NDArray[np.integer[Any]]) -> Tensor:
            return self._rows(samples.take(index))[0]

        self.loaders[name] = MappedRows(len(samples), read, seed=self._seed, bad=found)
        self.notes.append(
            f"{name}: {len(samples):,} series take {in_words(size)}, and memory may take"
            f" {in_words(max(room, 0))}: they are read from the file as they are drawn"
        )
        return 24 * len(samples)  # where they lie, and two epochs' orders of them

    def _written(self, name: str, texts: Corpus) -> int:
        """Rows of texts on disk; returns bytes that it takes to draw from them."""
        assert isinstance(self._modality, Streaming)
        packed = self._rows != self._modality.tensor
        made = self._modality.streamed(texts, packed=packed)
        width = made.width
        path, stays = kept_rows(made.key, made.parts)
        if not stays:
            self._passing.append(path)
        rows = DiskRows(path, width, np.dtype(made.dtype), self._seed)
        self.loaders[name] = rows
        if len(rows) == 0:
            raise UserError(
                f"{texts.path}: its {name} split does not fill one row of {width} tokens."
            )
        self.notes.append(
            f"{name}: {len(texts):,} texts make {len(rows):,} rows of {width} tokens"
            f" ({in_words(path.stat().st_size)} on disk)"
        )
        return 16 * len(rows)  # two epochs' orders of them

    def _resident(self, x: Tensor, bad: dict[int, str]) -> Loader:
        """In memory; samples of many lengths are drawn with others as long."""
        vocabulary = self._modality.spec.vocabulary
        if vocabulary is None:
            return Resident(x, seed=self._seed, bad=bad)
        return Bucketed(x, (x != vocabulary.pad).sum(dim=1), seed=self._seed, bad=bad)

    def _choose(
        self, encoded: dict[str, Files], decoding: Decoding, limit: int, batch_size: int
    ) -> None:
        """Resident if all fits, else streamed."""
        samples = sum(len(files) for files in encoded.values())
        needed = samples * decoding.bytes
        told = f"{samples:,} samples take {in_words(needed)} decoded"
        if needed <= limit:
            self.notes.append(f"{told}: they are held in memory, which may take {in_words(limit)}")
            for name, files in encoded.items():
                x, bad = read_resident(
                    files, self._reader(files, decoding), self._config.on_bad, self.notes.append
                )
                self.loaders[name] = Resident(x, seed=self._seed, bad=bad)
            return
        rest = limit - _index_memory(encoded)
        least = 2 * batch_size * decoding.bytes
        if rest < least:
            raise UserError(
                f"{in_words(limit)} of memory are too little to stream these samples: where they"
                f" lie takes {in_words(limit - rest)}, two batches of {batch_size} take"
                f" {in_words(least)}.",
                "Allow more with --max-memory, or lower --batch-size or modality.size.",
            )
        for name, files in encoded.items():
            self.loaders[name] = Streamed(
                files,
                self._reader(files, decoding, spool=True),
                seed=self._seed,
                on_bad=self._config.on_bad,
                memory=min(rest, MOST_AHEAD) // (1 if len(encoded) == 1 else 2),
                notice=self._say,
            )
        kept = all(reader.spool is not None for reader in self._readers.values())
        how = "each is decoded once and kept on disk" if kept else "each is decoded when drawn"
        self.notes.append(
            f"{told}, and memory may take {in_words(limit)}: they are streamed, {how}"
        )

    def _reader(self, files: Files, decoding: Decoding, *, spool: bool | None = None) -> Reader:
        """One for each source: its splits share workers and spool."""
        key = id(files.where)
        if key not in self._readers:
            self._readers[key] = Reader(files, decoding, self._config.workers, spool)
        return self._readers[key]

    def readable(self, name: str) -> Samples:
        """The samples of a split that `in_order` gave, in that order."""
        bad = self.loaders[name].damaged(0)
        good = np.setdiff1d(np.arange(len(self.samples[name])), list(bad))
        return self.samples[name].take(good) if bad else self.samples[name]

    def skipped(self, position: int = 0) -> dict[str, list[str]]:
        """Names of damaged samples by split; `position`: how far training has drawn."""
        found = {
            name: loader.damaged(position if name == "train" else 0)
            for name, loader in self.loaders.items()
        }
        return {
            name: [self.samples[name].name(i) for i in sorted(bad)]
            for name, bad in found.items()
            if bad
        }

    def close(self) -> None:
        """Let files and processes go."""
        for loader in self.loaders.values():
            loader.close()
        for reader in self._readers.values():
            reader.close()
        for path in self._passing:
            path.unlink(missing_ok=True)

    def __enter__(self) -> Supply:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _index_memory(encoded: Mapping[str, Files]) -> int:
    """Bytes that it takes to know where samples lie, and two epochs' orders of them."""
    sources: dict[int, Places] = {id(f.where): f.where for f in encoded.values()}
    return sum(w.memory for w in sources.values()) + sum(24 * len(f) for f in encoded.values())
