"""Tokenizers: trained on the user's own texts with Hugging Face `tokenizers`, or read from a file.

bpe        byte pairs (Sennrich et al., 2016, arXiv:1508.07909) over bytes: spells any script, and
           gives every text back as it was
wordpiece  words, then their most telling pieces (Wu et al., 2016, arXiv:1609.08144)
unigram    the pieces under which texts are likeliest (Kudo, 2018, arXiv:1804.10959)

None takes spaces between words for granted: in Chinese a run of characters is cut by what recurs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from headstart.data import snapshots
from headstart.errors import UserError
from headstart.types import Vocabulary

Kind = Literal["bpe", "wordpiece", "unigram"]
PAD, UNKNOWN, BEGIN, END, MASK = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# What the same pieces are called in tokenizers that others have made.
ALIASES = {
    PAD: ("<pad>", "<|pad|>"),
    UNKNOWN: ("<unk>", "<|unk|>"),
    BEGIN: ("<s>", "<|startoftext|>", "<bos>"),
    END: ("</s>", "<|endoftext|>", "<eos>"),
    MASK: ("<mask>", "<|mask|>"),
}
FEWEST, MOST = 300, 32_000
HEAPS, GROWTH = 10.0, 0.45
MARKS = ("Ġ", "▁")  # how byte pairs and unigrams write the space before a word
# Letters, digits and everything else apart; a space goes with what follows it.
APART = r" ?\p{L}[\p{L}\p{M}]*| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+"


def size_for(characters: int) -> int:
    """How many pieces suit a corpus: Heaps' law, K · n^β, as vocabularies grow with texts."""
    grown: float = HEAPS * characters**GROWTH
    return min(MOST, max(FEWEST, round(grown / 100) * 100))


def train(texts: Sequence[str], kind: Kind, size: int | None, *, lowercase: bool) -> Tokenizer:
    """A tokenizer of at most `size` pieces, or as many as suit `texts`.

    Raises:
        UserError: `size` is too small for the special pieces and single characters.
    """
    size = size or size_for(sum(map(len, texts)))
    tokenizer = Tokenizer(_model(kind))
    steps: list[Any] = [normalizers.NFKC() if kind != "bpe" else normalizers.NFC()]
    if lowercase:
        steps.append(normalizers.Lowercase())
    tokenizer.normalizer = normalizers.Sequence(steps)
    options: dict[str, Any] = {
        "vocab_size": size,
        "special_tokens": list(SPECIAL),
        "show_progress": False,
    }
    split = pre_tokenizers.Split(Regex(APART), "isolated")
    trainer: Any
    if kind == "bpe":
        bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_])
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(initial_alphabet=alphabet, **options)
    elif kind == "wordpiece":
        spaces = pre_tokenizers.WhitespaceSplit()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, spaces])
        tokenizer.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(limit_alphabet=size // 2, **options)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [split, pre_tokenizers.Metaspace(prepend_scheme="never")]
        )
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
        trainer = trainers.UnigramTrainer(unk_token=UNKNOWN, **options)
    tokenizer.train_from_iterator(_spaced(texts), trainer, length=len(texts))
    return tokenizer


def read(place: str) -> Tokenizer:
    """A tokenizer that exists, in the format of `tokenizers`; missing special pieces are added.

    place: a file, or `hub:` and a public model, whose own it is.

    Raises:
        UserError: there is no such file or model, or it holds none.
    """
    path = Path(place)
    if place.startswith(snapshots.PREFIX):
        path = snapshots.locate(place.removeprefix(snapshots.PREFIX)) / "tokenizer.json"
    if not path.is_file():
        raise UserError(f"there is no tokenizer at {path}.", "Expected a tokenizer.json.")
    try:
        return with_special(Tokenizer.from_file(str(path)))
    except Exception as error:
        raise UserError(
            f"{path} is no tokenizer.json of Hugging Face tokenizers: {error}"
        ) from error


def with_special(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer, with every special piece it lacks under all its names."""
    known = tokenizer.get_vocab()
    missing = [name for name in SPECIAL if not any(n in known for n in (name, *ALIASES[name]))]
    if missing:
        tokenizer.add_special_tokens(missing)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def vocabulary(tokenizer: Tokenizer, window: int) -> Vocabulary:
    """What networks must know of a tokenizer."""
    pieces = tokenizer.get_vocab()
    number = {
        name: next(pieces[n] for n in (name, *ALIASES[name]) if n in pieces) for name in SPECIAL
    }
    size = max(pieces.values()) + 1
    inside = [False] * size
    spelling = [""] * size
    pair = any(piece.startswith("##") for piece in pieces)
    for piece, i in pieces.items():
        spelling[i] = "" if i in number.values() else piece
        inside[i] = i not in number.values() and _goes_on(piece, pair=pair)
    return Vocabulary(
        size=size,
        pad=number[PAD],
        begin=number[BEGIN],
        end=number[END],
        mask=number[MASK],
        unknown=number[UNKNOWN],
        inside=tuple(inside),
        spelling=tuple(spelling),
        window=window,
    )


def plain(tokenizer: Tokenizer) -> dict[str, Any]:
    """A tokenizer as JSON can hold it."""
    made: dict[str, Any] = json.loads(tokenizer.to_str())
    return made


def _goes_on(piece: str, *, pair: bool) -> bool:
    """Whether a piece goes on a word that another began. pair: `##` marks those that do."""
    if pair:
        return piece.startswith("##")
    # Punctuation is a word of its own; bytes of other scripts look like letters, and are.
    return not piece.startswith(MARKS) and piece[:1].isalnum()


def _model(kind: Kind) -> Any:
    if kind == "bpe":
        return models.BPE()
    if kind == "wordpiece":
        return models.WordPiece(unk_token=UNKNOWN, max_input_chars_per_word=200)
    return models.Unigram()


def _spaced(texts: Sequence[str]) -> Iterator[str]:
    """Texts as they are encoded: a space before the first word, as before all others."""
    return (spaced(text) for text in texts)


def spaced(text: str) -> str:
    """A text with a space before its first word, so that words are spelt alike everywhere."""
    return f" {text.strip()}"
