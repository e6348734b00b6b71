"""The units that speech is written in: characters, words, or pieces of words learned from train.

Unit 0 is the blank of CTC, which stands for no unit.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from headstart.errors import UserError

Kind = Literal["characters", "words", "subwords"]
FEW_WORDS = 100  # different ones, up to which words are the units where nobody says
SEEN = 5  # times that a word of train is met on average, from which it can be learned whole
SPACE = "▁"


class Units(ABC):
    """Texts ↔ numbers from 1.

    symbols: of each number, as a person reads it; `symbols[0]` is the blank.
    """

    symbols: list[str]

    @abstractmethod
    def cut(self, text: str) -> list[str]:
        """The symbols of a text, whether known or not."""

    @abstractmethod
    def join(self, symbols: Sequence[str]) -> str:
        """The text that symbols make."""


class Words(Units):
    """A unit a word."""

    def __init__(self, symbols: list[str]) -> None:
        self.symbols = symbols

    def cut(self, text: str) -> list[str]:
        """See `Units`."""
        return text.split()

    def join(self, symbols: Sequence[str]) -> str:
        """See `Units`."""
        return " ".join(symbols)


class Characters(Units):
    """A unit a character, the space between words too."""

    def __init__(self, symbols: list[str]) -> None:
        self.symbols = symbols

    def cut(self, text: str) -> list[str]:
        """See `Units`."""
        return list(" ".join(text.split()).replace(" ", SPACE))

    def join(self, symbols: Sequence[str]) -> str:
        """See `Units`."""
        return " ".join("".join(symbols).replace(SPACE, " ").split())


class Subwords(Units):
    """Pieces of words, of a byte-pair tokenizer trained on train."""

    def __init__(self, symbols: list[str], tokenizer: dict[str, Any]) -> None:
        from tokenizers import Tokenizer

        self.symbols = symbols
        self.tokenizer = Tokenizer.from_str(json.dumps(tokenizer))
        self._characters = {symbol for symbol in symbols if len(symbol) == 1}

    def cut(self, text: str) -> list[str]:
        """See `Units`; a word with a character that train has not is cut into characters.

        The tokenizer would leave the character out, and take the rest for another word.
        """
        pieces: list[str] = []
        for word in text.split():
            known = self._characters.issuperset(word)
            pieces += self.tokenizer.encode(word).tokens if known else [SPACE, *word]
        return pieces

    def join(self, symbols: Sequence[str]) -> str:
        """See `Units`."""
        return " ".join("".join(symbols).replace(SPACE, " ").split())


def fit(kind: Kind | Literal["auto"], texts: Sequence[str], size: int) -> dict[str, Any]:
    """The units of texts, as JSON can hold them.

    size: how many pieces of words there may be.

    Raises:
        UserError: the texts hold nothing.
    """
    words = Counter(word for text in texts for word in text.split())
    if not words:
        raise UserError("not one label holds a word to be transcribed.")
    if kind == "auto":
        few = len(words) <= FEW_WORDS and words.total() >= SEEN * len(words)
        kind = "words" if few else "characters"
    if kind == "words":
        return {"units": kind, "symbols": ["", *sorted(words)]}
    if kind == "characters":
        seen = {symbol for text in texts for symbol in Characters([]).cut(text)}
        return {"units": kind, "symbols": ["", *sorted(seen)]}
    tokenizer = _trained(texts, size)
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
    symbols = ["", *(piece for piece, _ in pieces)]
    return {"units": kind, "symbols": symbols, "tokenizer": json.loads(tokenizer.to_str())}


def made(state: dict[str, Any]) -> Units:
    """What `fit` described."""
    match state["units"]:
        case "words":
            return Words(state["symbols"])
        case "characters":
            return Characters(state["symbols"])
    return Subwords(state["symbols"], state["tokenizer"])


def _trained(texts: Sequence[str], size: int) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE)
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False)
    tokenizer.train_from_iterator((" ".join(text.split()) for text in texts), trainer)
    return tokenizer
