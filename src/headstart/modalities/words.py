"""Texts word by word: each word's pieces, and which of them is its first.

A word is answered for at its first piece (Devlin et al., 2019, arXiv:1810.04805, section 5.3). That
piece's number t stands in a row as -t - 1, so that rows say where words begin and take no more
memory; whoever prepares a batch turns it back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor

from headstart.data.dataset import Samples
from headstart.data.words import split_words
from headstart.errors import UserError
from headstart.modalities.tokenizer import spaced
from headstart.types import Vocabulary

MOST_WINDOWS = 64  # of a text that is read by words: none of them may be left out


def rows(
    tokenizer: Tokenizer, samples: Samples, vocabulary: Vocabulary, dtype: torch.dtype
) -> Tensor:
    """Token numbers `[N, T]`, first pieces marked; as wide as the longest, in whole windows.

    Raises:
        UserError: a text is longer than any sentence.
    """
    texts: list[tuple[str, ...]] = split_words(samples).inputs.tolist()  # type: ignore[union-attr]
    pieces = _spelt(tokenizer, texts, vocabulary.unknown)
    lengths = [2 + sum(len(pieces[word]) for word in text) for text in texts]
    longest = max(lengths)
    if longest > MOST_WINDOWS * vocabulary.window:
        i = lengths.index(longest)
        raise UserError(
            f"{samples.name(i)} has {len(texts[i]):,} words in one sentence, {longest:,} tokens; at"
            f" most {MOST_WINDOWS * vocabulary.window:,} are read.",
            "Is a blank line missing between sentences?",
        )
    width = longest
    if width > vocabulary.window:
        width = math.ceil(width / vocabulary.window) * vocabulary.window
    made = torch.full((len(texts), width), vocabulary.pad, dtype=dtype)
    for i, text in enumerate(texts):
        row = [vocabulary.begin]
        for word in text:
            first, *rest = pieces[word]
            row += [-first - 1, *rest]
        made[i, : len(row) + 1] = torch.tensor([*row, vocabulary.end], dtype=dtype)
    return made


def begun(x: Tensor) -> Tensor:
    """Where words begin in rows `[B, T]`: `[B, T]` of bool."""
    return x < 0


def plain(x: Tensor) -> Tensor:
    """Rows `[B, T]` with the marks taken off."""
    return torch.where(x < 0, -x - 1, x)


def _spelt(
    tokenizer: Tokenizer, texts: Sequence[tuple[str, ...]], unknown: int
) -> dict[str, list[int]]:
    """The pieces of each word, at least one."""
    known = list(dict.fromkeys(word for text in texts for word in text))
    found = tokenizer.encode_batch_fast(list(map(spaced, known)), add_special_tokens=False)
    return {word: one.ids or [unknown] for word, one in zip(known, found, strict=True)}
