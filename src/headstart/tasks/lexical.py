"""Beside a network, a weight for every run of words and characters: wide and deep.

A linear machine on tf-idf is hard to beat where texts are few (Wang and Manning, 2012,
aclanthology.org/P12-2018): single words decide, and a network that must squeeze all words into one
vector loses some. Here it is part of the network's answer (Cheng et al., 2016, arXiv:1606.07792):
outputs are the head's, plus the sum of the weights of the runs that a text holds. The weights begin
at zero and take plain steps (`Learner.plain`): a rare one must not move as much as a frequent one.

A run is one or two words, or up to five characters within a word, its two ends counting as
characters; runs share weights by their hash. Each kind's weights are tf-idf, a run counted once a
text, of length 1 together. Everything is found from token numbers, so that whatever a tokenizer
reads is read here too; a tokenizer that leaves no spaces has words as long as its sentences, of
which the characters speak.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.types import Vocabulary

BUCKETS = 2**18
CHARACTERS = 5  # of the longest run
FEWEST = 2  # texts that a run must occur in to count
MOST_COUNTED = 100_000  # texts that tell how rare runs are
MOST_SPELT = 24  # characters of a token
PRIME = 0x9E3779B97F4A7C15 - 2**64  # odd; products wrap around
END_OF_WORD = 1
MARKS = ("Ġ", "▁", "##")  # how tokenizers write that a word begins, or goes on


class Lexical(nn.Module):
    """A weight a run and output."""

    plain: ClassVar[bool] = True  # see `Learner.plain`
    spelt: Tensor  # [V, L], the code of each character of a token, 0 where there is none
    starts: Tensor  # [V], whether a token begins a word
    is_text: Tensor  # [V]
    rarity: Tensor  # [BUCKETS], what a run counts: the more, the fewer texts hold it

    def __init__(self, vocabulary: Vocabulary, outputs: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.weight = nn.Parameter(torch.zeros(BUCKETS, outputs))
        self.register_buffer("rarity", torch.ones(BUCKETS))
        starts = [
            bool(s) and not i for s, i in zip(vocabulary.spelling, vocabulary.inside, strict=True)
        ]
        special = torch.tensor(vocabulary.special)
        text = torch.ones(vocabulary.size, dtype=torch.bool).index_fill(0, special, value=False)
        ends = torch.zeros(vocabulary.size, dtype=torch.bool)
        ends[[vocabulary.end, vocabulary.mask]] = True
        self.register_buffer("spelt", codes(vocabulary.spelling, starts, ends), persistent=False)
        self.register_buffer("starts", torch.tensor(starts), persistent=False)
        self.register_buffer("is_text", text, persistent=False)

    @torch.no_grad()
    def count(self, batches: Iterable[Tensor]) -> None:
        """Learn from tokens `[B, T]` how rare each run is: scikit-learn's smoothed idf.

        A run that a single text holds counts nothing: it could only tell that text from others.
        The first `MOST_COUNTED` texts are looked at.
        """
        texts, found = 0, torch.zeros(BUCKETS, dtype=torch.long)
        for x in batches:
            if texts >= MOST_COUNTED:
                break
            texts += len(x)
            for bucket, there in self.runs(x):
                found += torch.bincount(bucket[there], minlength=BUCKETS)
        rarity = torch.log((1 + texts) / (1 + found)) + 1
        self.rarity.copy_(rarity * (found >= FEWEST))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens `[B, T]` → what their runs say, `[B, K]`."""
        said = self.weight.new_zeros(x.shape[0], self.weight.shape[1])
        for bucket, there in self.runs(x):
            share = F.normalize(self.rarity[bucket] * there, dim=1)  # [B, R]
            if torch.compiler.is_exporting():
                said = said + (self.weight[bucket] * share[:, :, None]).sum(dim=1)
            else:
                said = said + F.embedding_bag(
                    bucket, self.weight, mode="sum", per_sample_weights=share
                )
        return said

    def runs(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The buckets `[B, R]` of all runs of words, then of characters, and which are there.

        Of a run that a text holds several times, one is there.
        """
        return [once(*self._words(x)), once(*self._characters(x))]

    def _words(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Runs of one and two words, `[B, 2T]`: a word is hashed from its tokens."""
        text = self.is_text[x]
        starts = self.starts[x] | ~text
        word = starts.cumsum(dim=1) - 1  # which word a token is of, [B, T]; BEGIN is one
        before = F.pad(x, (1, 0))[:, :-1] + 1
        key = scrambled(x + 1 + PRIME * before.masked_fill(starts, 0)) * text
        one = torch.zeros_like(x).scatter_add(1, word.clamp(min=0), key)
        last = F.pad(one, (1, 0))[:, :-1]
        two, both = last * PRIME + one, (last != 0) & (one != 0)
        return torch.cat([one, scrambled(two)], dim=1), torch.cat([one != 0, both], dim=1)

    def _characters(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Runs of one to `CHARACTERS` characters that no end of a word parts, `[B, R]`."""
        spelt = self.spelt[x]  # [B, T, L]
        there = spelt != 0
        rows, tokens, most = spelt.shape
        before = there.flatten(1).cumsum(dim=1)  # [B, T · L]
        wide = tokens * most if torch.compiler.is_exporting() else max(1, int(before[:, -1].max()))
        place = torch.where(there.flatten(1), before - 1, wide)
        line = spelt.new_zeros(rows, wide + 1).scatter(1, place, spelt.flatten(1))
        line = line[:, :wide]  # each text's characters, one after another
        key, good = line, line != 0
        end = line == END_OF_WORD
        found = [(key, good & ~end)]
        for length in range(2, CHARACTERS + 1):
            shift = length - 1
            after = F.pad(line, (0, shift))[:, shift:]
            key = key * PRIME + after
            if length > 2:  # what was the last is within now, where no end of a word may be
                good = good & ~F.pad(end, (0, shift - 1))[:, shift - 1 :]
            good = good & (after != 0)
            found.append((scrambled(key + length), good))
        return torch.cat([k for k, _ in found], dim=1), torch.cat([g for _, g in found], dim=1)


def once(key: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """Keys as buckets `[B, R]`; of those alike in a row the first alone is there."""
    bucket = torch.where(there, key % BUCKETS, BUCKETS).sort(dim=1).values
    fresh = (bucket != F.pad(bucket, (1, 0), value=-1)[:, :-1]) & (bucket < BUCKETS)
    return bucket.clamp(max=BUCKETS - 1), fresh


def scrambled(key: Tensor) -> Tensor:
    """Whole numbers so that their lowest bits hang on all others (splitmix64's first half)."""
    key = key * PRIME
    return (key ^ (key >> 31)) * PRIME ^ (key >> 17)


def codes(spelling: Sequence[str], starts: Sequence[bool], ends: Tensor) -> Tensor:
    """Each token's characters as numbers `[V, L]`, an end of a word before those that begin one.

    ends: `[V]`, tokens that are no text and part words.
    """
    rows = []
    for piece, begins, parts in zip(spelling, starts, ends.tolist(), strict=True):
        row = [END_OF_WORD] if begins or parts else []
        row += [zlib.crc32(c.encode()) + 2 for c in characters(piece)]
        rows.append(row[:MOST_SPELT])
    made = torch.zeros(len(rows), max(1, *map(len, rows)), dtype=torch.long)
    for i, row in enumerate(rows):
        made[i, : len(row)] = torch.tensor(row, dtype=torch.long)
    return made


def characters(piece: str) -> str:
    """What a token spells, without marks; byte pairs as characters, where they are whole ones."""
    for mark in MARKS:
        piece = piece.removeprefix(mark)
    try:
        return bytes(BYTES[c] for c in piece).decode()
    except (KeyError, UnicodeDecodeError):
        return piece


def _bytes() -> dict[str, int]:
    """The character that stands for each byte in byte-level tokenizers (GPT-2's), and the byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in shown]
    return {chr(b): b for b in shown} | {chr(256 + i): b for i, b in enumerate(others)}


BYTES = _bytes()
