"""Characters and words of texts that come as token numbers, and hashes of runs of them.

Runs of characters and of words are the features that linear machines tell texts apart by. Tokens
are no such runs: how a tokenizer cuts a word hangs on what it was trained on. So tokens are spelt
out again, a whole batch at once, and every run gets a number of 64 bits: of a polynomial in its
characters (Karp and Rabin, 1987, doi:10.1147/rd.312.0249), modulo 2^64.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.types import Vocabulary

SPACE = 32
LONGEST = 32  # characters of a token that are spelt
BASE = 0x9E3779B97F4A7C15 - 2**64  # odd, so that its powers have inverses
INVERSE = pow(BASE, -1, 2**64) - 2**64
CONTINUES = range(0x80, 0xC0)  # bytes of UTF-8 that go on a character


@dataclass(frozen=True)
class Runs:
    """Hashes of runs `[B, M]`, and which of them there are."""

    hashes: Tensor
    there: Tensor


def units_of(vocabulary: Vocabulary) -> tuple[Tensor, bool]:
    """What each piece spells, `[V, R]`: characters, or bytes where pieces are of bytes; 0: none."""
    byte = {name: value for value, name in enumerate(byte_names())}
    bytewise = all(c in byte for piece in vocabulary.spelling for c in piece)
    rows = []
    for piece, inside in zip(vocabulary.spelling, vocabulary.inside, strict=True):
        if bytewise:
            row = [byte[c] for c in piece]
        else:
            pair = piece.startswith("##")
            bare = piece.removeprefix("##").replace("▁", " ")
            row = ([] if pair or inside or "▁" in piece or not piece else [SPACE]) + [
                ord(c) for c in bare
            ]
        rows.append([max(unit, 1) for unit in row[:LONGEST]])
    units = torch.zeros(len(rows), max(1, *map(len, rows)), dtype=torch.int32)
    for i, row in enumerate(rows):
        units[i, : len(row)] = torch.tensor(row, dtype=torch.int32)
    return units, bytewise


def byte_names() -> list[str]:
    """What byte-level tokenizers call the 256 bytes: printable ones themselves (GPT-2)."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    names, more = [], 256
    for value in range(256):
        names.append(chr(value) if value in plain else chr(more))
        more += value not in plain
    return names


def characters(x: Tensor, units: Tensor, *, bytewise: bool) -> Tensor:
    """Tokens `[B, T]` → the characters of each text, `[B, C]`, one number each; 0 fills rows up.

    A space stands before each text and after it.
    """
    spelt = units[x].flatten(1).long()  # [B, T * R]
    spelt = packed(spelt, spelt > 0)
    if bytewise and bool((spelt >= CONTINUES.start).any()):
        spelt = _decoded(spelt)
    count = (spelt > 0).sum(dim=1, keepdim=True)
    spelt = F.pad(spelt, (0, 1)).scatter(1, count, SPACE)
    spelt = torch.where(spelt == 0, 0, torch.where(spelt < SPACE, SPACE, spelt))  # tabs, ends
    first = spelt[:, :1] == SPACE
    return torch.where(first, F.pad(spelt, (0, 1)), F.pad(spelt, (1, 0), value=SPACE))


def _decoded(spelt: Tensor) -> Tensor:
    """Bytes of UTF-8 `[B, N]` → code points; what is no UTF-8 becomes some number."""
    goes_on = (spelt >= CONTINUES.start) & (spelt < CONTINUES.stop)
    code = torch.where(spelt < 0x80, spelt, spelt & 0x1F)
    code = torch.where(spelt >= 0xE0, spelt & 0x0F, code)
    code = torch.where(spelt >= 0xF0, spelt & 0x07, code)
    chain = torch.ones_like(goes_on)
    for place in range(1, 4):
        after = F.pad(spelt, (0, place))[:, place:]
        chain = chain & F.pad(goes_on, (0, place))[:, place:]
        code = torch.where(chain, (code << 6) | (after & 0x3F), code)
    return packed(code.clamp(min=1), (spelt > 0) & ~goes_on)


def packed(values: Tensor, kept: Tensor) -> Tensor:
    """The values `[B, N]` that are kept, moved to the left; 0 after them."""
    place = kept.cumsum(dim=1) - 1
    width = max(1, int(place[:, -1].max()) + 1)
    made = values.new_zeros(len(values), width + 1)
    made.scatter_(1, torch.where(kept, place, width), values)  # the last column holds the rest
    return made[:, :width]


def character_runs(chars: Tensor, lengths: Sequence[int]) -> Runs:
    """Runs within what stands between spaces, the space before and after it included."""
    prefix, inverse = _prefix(chars)
    space = chars == SPACE
    until = F.pad(space.cumsum(dim=1), (1, 0))  # [B, C + 1], spaces before each place
    c = chars.shape[1]
    hashes, there = [], []
    for n in lengths:
        if n > c:
            break
        hashes.append(mixed(_span(prefix, inverse, n) + n))
        inner = until[:, n - 1 : c] - until[:, 1 : c - n + 2]  # spaces that are neither end
        ends = chars[:, n - 1 :] > 0
        single = space[:, : c - n + 1] if n == 1 else torch.zeros_like(ends)
        there.append(ends & (inner <= 0) & ~single)
    return Runs(torch.cat(hashes, dim=1), torch.cat(there, dim=1))


def word_runs(chars: Tensor, longest: int) -> Runs:
    """Runs of 1 to `longest` words; what is neither letter nor digit is a word by itself."""
    prefix, inverse = _prefix(chars)
    letter = _letters(chars)
    before = F.pad(letter, (1, 0))[:, :-1]
    begins = (chars > 0) & (chars != SPACE) & ~(letter & before)
    after = F.pad(letter, (0, 1))[:, 1:]
    ends = (chars > 0) & (chars != SPACE) & ~(letter & after)
    count = begins.sum(dim=1)
    place = torch.arange(chars.shape[1], device=chars.device).expand_as(chars)
    start, stop = packed(place, begins), packed(place + 1, ends)  # [B, W]
    words = (prefix.gather(1, stop) - prefix.gather(1, start)) * inverse[start]
    words = mixed(words + (stop - start))
    there = torch.arange(words.shape[1], device=chars.device) < count[:, None]
    hashes, known = [words], [there]
    run = words
    for order in range(1, longest):
        run = mixed(run[:, :-1] * BASE + words[:, order:])
        hashes.append(run)
        known.append(there[:, order:])
    return Runs(torch.cat(hashes, dim=1), torch.cat(known, dim=1))


def mixed(h: Tensor) -> Tensor:
    """Numbers of 64 bits, each bit of which hangs on all bits of the one given (MurmurHash3's)."""
    h = (h ^ ((h >> 33) & 0x7FFFFFFF)) * (0xFF51AFD7ED558CCD - 2**64)
    h = (h ^ ((h >> 33) & 0x7FFFFFFF)) * (0xC4CEB9FE1A85EC53 - 2**64)
    return h ^ ((h >> 33) & 0x7FFFFFFF)


def _letters(chars: Tensor) -> Tensor:
    """Which are letters, digits, marks on them or underscores; those of Chinese stand alone."""
    table = _letter_table().to(chars.device)
    return table[chars.clamp(max=len(table) - 1)]


@cache
def _letter_table() -> Tensor:
    kinds = (unicodedata.category(chr(code))[0] for code in range(0x20000))
    alone = ((0x3040, 0x3100), (0x3400, 0xA000), (0xF900, 0xFB00))  # kana and Chinese characters
    table = torch.tensor([kind in "LMN" for kind in kinds])
    table[ord("_")] = True
    for begin, end in alone:
        table[begin:end] = False
    table[-1] = False  # whatever is beyond
    return table


def _prefix(chars: Tensor) -> tuple[Tensor, Tensor]:
    """Σ c_j · BASE^j before each place, `[B, C + 1]`, and BASE^-i, `[C + 1]`, modulo 2^64."""
    places = chars.new_full((chars.shape[1],), BASE)
    places[0] = 1
    inverse = chars.new_full((chars.shape[1] + 1,), INVERSE)
    inverse[0] = 1
    terms = mixed(chars) * places.cumprod(dim=0)
    return F.pad(terms.cumsum(dim=1), (1, 0)), inverse.cumprod(dim=0)


def _span(prefix: Tensor, inverse: Tensor, n: int) -> Tensor:
    """Hashes of the runs of n characters that begin at each place, `[B, C - n + 1]`."""
    c = prefix.shape[1] - 1
    return (prefix[:, n:] - prefix[:, : c - n + 1]) * inverse[: c - n + 1]
