"""Texts: rows of token numbers `int16` or `int32` `[N, T]`, padded, cut to what a batch needs.

A row is BEGIN, the pieces of the text, END. Rows may be packed for learners that take any stretch
of text: several texts then follow one another without padding, each with its BEGIN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from headstart.data import snapshots
from headstart.data.caches import fingerprint
from headstart.data.corpus import Corpus
from headstart.data.dataset import Samples
from headstart.data.rows import RowParts, Rows
from headstart.errors import UserError
from headstart.modalities import tokenizer as tokenizers
from headstart.modalities import words
from headstart.modalities.augment.words import dropped, without_span
from headstart.modalities.base import Strength
from headstart.settings import Settings, setting
from headstart.types import Spec

CHUNK, CHARACTERS = 4_096, 2**21  # texts that are encoded at once, and what they hold at most
AT_ONCE = 2**17  # tokens that are written at once
PACKED_FROM = 0.5  # windows that a text fills on average, from which packing pays
MOST_WINDOWS = 8  # of a text that is read whole
FEWEST = 8  # tokens that a text is read by


class TextConfig(Settings):
    """How texts become tensors."""

    tokenizer: str | None = setting(
        None, "a tokenizer.json that exists; by default one is trained on train"
    )
    kind: tokenizers.Kind = setting("bpe", "of the tokenizer: bpe, wordpiece or unigram", flag="")
    vocabulary: int | None = setting(
        None, "its pieces; by default as suits the corpus", flag="", least=tokenizers.FEWEST
    )
    lowercase: bool = setting(True, "take upper case for lower", flag="")
    window: int = setting(128, "tokens that are looked at together", flag="", least=FEWEST)
    length: int | None = setting(
        None,
        "tokens of a text that are read; what is more than a window is read in whole windows; by"
        " default all, at most 8 windows",
        flag="",
        least=FEWEST,
    )
    drop: float = setting(0.1, "share of words that augmentation hides", flag="", least=0, below=1)
    strong_drop: float = setting(0.2, "the same for strong augmentation", flag="", least=0, below=1)
    strong_cut: float = setting(
        0.15, "share of the text that strong augmentation removes", flag="", least=0, below=1
    )


class Text:
    """See `base.Modality`."""

    default_backbone: ClassVar[str] = "transformer"
    default_objective: ClassVar[str] = "mlm"
    Config: ClassVar[type[Settings]] = TextConfig

    def __init__(
        self,
        tokenizer: Tokenizer,
        window: int,
        length: int,
        strengths: dict[str, float],
        *,
        spaced: bool = True,
    ) -> None:
        self.tokenizer = tokenizer
        self.spaced = spaced  # whether a text is encoded with a space before its first word
        self.window, self.length, self.strengths = window, length, strengths
        self.vocabulary = tokenizers.vocabulary(tokenizer, window)
        self.streams = False  # whether they were learned from without being held
        self.by_words = False  # whether texts are read word by word, to be answered for so
        self.notes: Sequence[str] = ()

    @classmethod
    def fit(cls, train: Samples, config: TextConfig) -> Text:
        """Train a tokenizer, and learn how long texts are.

        Raises:
            UserError: there is no text, or a setting is out of range.
        """
        texts = [text for text in _texts(train) if text.strip()]
        if not texts:
            raise UserError("not one text of the train split holds anything.")
        made = (
            tokenizers.read(config.tokenizer)
            if config.tokenizer
            else tokenizers.train(texts, config.kind, config.vocabulary, lowercase=config.lowercase)
        )
        # A public model's tokenizer spells texts as that model was taught to read them.
        spaced = not (config.tokenizer or "").startswith(snapshots.PREFIX)
        lengths = np.array([len(ids) for ids in _encoded(made, texts, spaced=spaced)]) + 2
        length = config.length or min(int(lengths.max()), MOST_WINDOWS * config.window)
        if config.length is None or length > config.window:
            length = math.ceil(length / config.window) * config.window
        strengths = {
            "drop": config.drop,
            "strong_drop": config.strong_drop,
            "strong_cut": config.strong_cut,
        }
        text = cls(made, config.window, length, strengths, spaced=spaced)
        text.streams = isinstance(train.inputs, Corpus)
        text.notes = _notes(text, lengths, trained=config.tokenizer is None)
        return text

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Text:
        """What `state()` described.

        Raises:
            UserError: the tokenizer is malformed.
        """
        import json

        try:
            made = Tokenizer.from_str(json.dumps(state["tokenizer"]))
        except Exception as error:
            raise UserError(f"tokenizer.json is malformed: {error}") from error
        text = cls(
            made,
            int(state["window"]),
            int(state["length"]),
            dict(state["strengths"]),
            spaced=bool(state.get("spaced", True)),
        )
        text.by_words = bool(state.get("by_words", False))
        return text

    def state(self) -> dict[str, Any]:
        """Everything fitted, as JSON can hold it; `tokenizer` is kept as a file of its own."""
        return {
            "modality": "text",
            "window": self.window,
            "length": self.length,
            "spaced": self.spaced,
            "strengths": self.strengths,
            **({"by_words": True} if self.by_words else {}),
            **({"streamed": True} if self.streams else {}),
            "tokenizer": tokenizers.plain(self.tokenizer),
        }

    @property
    def spec(self) -> Spec:
        """`(T,)` tokens."""
        return Spec("tokens", (self.length,), vocabulary=self.vocabulary)

    def tensor(self, samples: Samples, *, on_bad: str = "fail") -> tuple[Tensor, list[int]]:
        """Token numbers `[N, T]`, padded, and the rows that hold no text.

        A text that is longer than `length` is cut there; one that is read by words never is.

        Raises:
            UserError: a text is empty and `on_bad` is "fail", or all are; words are too many.
        """
        texts = _texts(samples)
        empty = [i for i, text in enumerate(texts) if not text.strip()]
        if empty and (on_bad == "fail" or len(empty) == len(samples)):
            more = f" ({len(empty):,} of {len(samples):,} are like this)" if empty[1:] else ""
            raise UserError(
                f"{samples.name(empty[0])} holds no text{more}.",
                "Mend or remove it, or pass --on-bad skip to go on without it.",
            )
        if self.by_words:
            return words.rows(self.tokenizer, samples, self.vocabulary, self._dtype), empty
        v = self.vocabulary
        rows = torch.full((len(samples), self.length), v.pad, dtype=self._dtype)
        for i, ids in enumerate(_encoded(self.tokenizer, texts, spaced=self.spaced)):
            whole = [v.begin, *ids[: self.length - 2], v.end]
            rows[i, : len(whole)] = torch.tensor(whole, dtype=self._dtype)
        return rows, empty

    def stretches(self, samples: Samples, *, on_bad: str = "fail") -> tuple[Tensor, list[int]]:
        """Rows for a learner that takes any stretch of text: nothing is padded that need not be.

        Long texts stand one after another, cut into full windows; what fills no last window is
        left out. Short ones, which rows of similar length waste little on, as `tensor` has them.

        Raises:
            UserError: as `tensor` does.
        """
        v = self.vocabulary
        x, empty = self.tensor(samples, on_bad=on_bad)
        lengths = (x != v.pad).sum(dim=1)
        if int(lengths.sum()) < PACKED_FROM * self.window * len(x):
            return x, empty
        stream: list[int] = []
        for ids in _encoded(self.tokenizer, _texts(samples), spaced=self.spaced):
            stream += [v.begin, *ids, v.end]
        rows = len(stream) // self.window
        if rows == 0:
            return x, empty
        flat = torch.tensor(stream[: rows * self.window], dtype=self._dtype)
        return flat.view(rows, self.window), []

    def streamed(self, texts: Corpus, *, packed: bool) -> RowParts:
        """Rows of texts that do not fit in memory, of one window each.

        packed: texts follow one another in full windows; else a row is a text, or its beginning.
        """
        width = self.window
        key = fingerprint(
            texts.stamp, self.tokenizer.to_str(), str((width, packed, self.spaced)), "tokens 1"
        )
        dtype = str(self._dtype).removeprefix("torch.")
        return RowParts(key, width, dtype, self._parts(texts, dtype, packed=packed))

    def _parts(self, texts: Corpus, dtype: str, *, packed: bool) -> Iterator[Rows]:
        v, width = self.vocabulary, self.window
        stream: list[int] = []
        for ids in _encoded(self.tokenizer, texts, spaced=self.spaced):
            if packed:
                stream += [v.begin, *ids, v.end]
            else:
                row = [v.begin, *ids[: width - 2], v.end]
                stream += [*row, *[v.pad] * (width - len(row))]
            if len(stream) >= AT_ONCE:
                whole = len(stream) - len(stream) % width
                yield np.array(stream[:whole], dtype).reshape(-1, width)
                del stream[:whole]
        if whole := len(stream) - len(stream) % width:
            yield np.array(stream[:whole], dtype).reshape(-1, width)

    @property
    def decoding(self) -> None:
        """Texts come decoded."""
        return None

    def prepare(self, x: Tensor) -> Tensor:
        """`[B, T]` → int64, as wide as the longest row (in whole windows, where it has several)."""
        return self._cut(words.plain(x)).long()

    def frames(self, x: Tensor) -> Tensor | None:
        """See `base.Wordy`."""
        return words.begun(self._cut(x)) if self.by_words else None

    def augment(self, x: Tensor, strength: Strength = "weak") -> Tensor:
        """Hide words; strongly also remove a stretch of each text. As wide as `prepare` makes it.

        Word dropout: Iyyer et al., 2015 (doi:10.3115/v1/P15-1162), section 4; span deletion:
        cut-off, Shen et al., 2020, arXiv:2009.13818.
        """
        x = self.prepare(x)
        v = self.vocabulary
        if strength == "weak":
            return dropped(x, self.strengths["drop"], v)
        x = without_span(x, self.strengths["strong_cut"], v)
        return dropped(x, self.strengths["strong_drop"], v)

    def describe(self, x: Tensor) -> None:  # noqa: ARG002 - the face
        """Texts have no such description."""
        return

    def texts(self, x: Tensor) -> list[str]:
        """Rows of token numbers `[B, T]` as text."""
        return [text.strip() for text in self.tokenizer.decode_batch(x.long().tolist())]

    def pieces(self, row: Tensor) -> list[str]:
        """What each token of a row `[T]` spells."""
        return [self.tokenizer.decode([int(i)], skip_special_tokens=False) for i in row]

    def _cut(self, x: Tensor) -> Tensor:
        there = (x != self.vocabulary.pad).any(dim=0)
        width = int(there.nonzero().max()) + 1 if bool(there.any()) else 1
        if width > self.window:
            width = math.ceil(width / self.window) * self.window
        return x[:, :width]

    @property
    def _dtype(self) -> torch.dtype:
        return torch.int16 if self.vocabulary.size <= 2**15 else torch.int32


def _texts(samples: Samples) -> Sequence[str]:
    if isinstance(samples.inputs, Corpus):
        return samples.inputs.sample()
    assert isinstance(samples.inputs, np.ndarray)  # whole files were read when they were found
    texts = samples.inputs.tolist()
    return [" ".join(text) if isinstance(text, tuple) else text for text in texts]


def _encoded(tokenizer: Tokenizer, texts: Iterable[str], *, spaced: bool) -> Iterator[list[int]]:
    for part in _portions(texts):
        whole = [tokenizers.spaced(text) for text in part] if spaced else part
        for found in tokenizer.encode_batch_fast(whole, add_special_tokens=False):
            yield found.ids


def _portions(texts: Iterable[str]) -> Iterator[list[str]]:
    """So many texts that all their tokens together take little memory."""
    part: list[str] = []
    total = 0
    for text in texts:
        part.append(text)
        total += len(text)
        if len(part) >= CHUNK or total >= CHARACTERS:
            yield part
            part, total = [], 0
    if part:
        yield part


def _notes(text: Text, lengths: NDArray[np.int64], *, trained: bool) -> list[str]:
    how = f"trained on {len(lengths):,} texts" if trained else "read from a file"
    notes = [
        f"tokenizer: {text.vocabulary.size:,} pieces, {how}; a text has {lengths.mean():.0f}"
        f" tokens on average, the longest {lengths.max():,}"
    ]
    if (longer := int((lengths > text.length).sum())) > 0:
        notes.append(
            f"{longer:,} texts are longer than {text.length:,} tokens; where whole texts are read,"
            " the rest of them is not (--set modality.length=...)"
        )
    return notes
