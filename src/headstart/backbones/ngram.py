"""A bag of n-grams (fastText, Joulin et al., 2017, arXiv:1607.01759): fast, and hard to beat.

Every run of one, two or three tokens has a vector, and every run of two to five characters within
a token (Bojanowski et al., 2017, arXiv:1607.04606), so that words of one stem begin alike; longer
runs of tokens, and those of characters, share a table by their hash. A text is the mean of its
vectors. Where objectives ask what a hidden token was, a token is told by the runs around it, near
ones by themselves and all by their mean (CBOW, Mikolov et al., 2013, arXiv:1301.3781; sent2vec,
Pagliardini et al., 2018, arXiv:1703.02507).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.tokenwise import Pool, Tokenwise, pool
from headstart.settings import Settings, setting
from headstart.types import Batch, Features, Spec

PRIME = 1_000_003
MOST_RUNS = 40  # of characters of one token
NEAR = 5  # tokens to either side that tell a token by themselves


class NgramConfig(Settings):
    """Vectors, and how many of them."""

    width: int = setting(64, "of each vector", flag="", least=1)
    longest: int = setting(3, "tokens of the longest run", flag="", least=1)
    characters: int = setting(5, "of the longest run within a token; 1 for none", flag="", least=1)
    buckets: int = setting(2**16, "vectors that runs longer than one share", flag="", least=1)
    pool: Pool = setting("mean", "mean or max of the vectors", flag="")
    dropout: float = setting(0.1, "share of runs left out in training", flag="", least=0, below=1)


class Ngram(Tokenwise):
    """The mean of the vectors of all runs of a text."""

    Config: ClassVar[type[Settings]] = NgramConfig
    spelt: Tensor  # [V, R], the buckets of each token's runs of characters
    share: Tensor  # [V, R], what each of them counts: all together as one, 0 where there is none

    def __init__(self, config: NgramConfig, spec: Spec) -> None:
        self.begin(spec, config.width, config.pool)
        self.config = config
        self.runs = nn.Embedding(config.buckets, config.width)
        nn.init.normal_(self.runs.weight, std=0.02)
        spelt, share = character_runs(self.vocabulary.spelling, config.characters, config.buckets)
        self.register_buffer("spelt", spelt, persistent=False)
        self.register_buffer("share", share, persistent=False)

    def read(self, x: Tensor, there: Tensor) -> Tensor:
        """What tokens say by themselves, together with what stands around them."""
        h = self._vectors(x, there)
        whole = h.sum(dim=1, keepdim=True) / there.sum(dim=1).clamp(min=1)[:, None, None]
        near = F.avg_pool1d(h.transpose(1, 2), 2 * NEAR + 1, 1, NEAR).transpose(1, 2)
        return h + near + whole

    def forward(self, batch: Batch) -> Features:
        """See `Tokenwise`; the text's vector is the mean of its runs' alone."""
        there = batch.x != self.vocabulary.pad
        h = self._vectors(batch.x, there)
        return Features(pool(h, there, self.pooling), h, there)

    def _vectors(self, x: Tensor, there: Tensor) -> Tensor:
        """The sum of the vectors of all runs that end at each token, `[B, T, D]`."""
        h = self._kept(self.embedding(x) + self._spelt(x))
        key = x
        for order in range(1, self.config.longest):
            before = F.pad(x, (order, 0), value=self.vocabulary.pad)[:, : x.shape[1]]
            key = key * PRIME + before
            known = (before != self.vocabulary.pad)[:, :, None]
            h = h + self._kept(self.runs((key + order) % self.config.buckets)) * known
        return h * there[:, :, None]

    def _spelt(self, x: Tensor) -> Tensor:
        """The vectors of the tokens' characters, `[B, T, D]`; each token is spelt once."""
        if torch.compiler.is_exporting():  # one graph for every batch: all tokens, then those of x
            return F.embedding(x, (self.runs(self.spelt) * self.share[:, :, None]).sum(dim=1))
        token, place = x.unique(return_inverse=True)  # type: ignore[no-untyped-call]
        vectors = F.embedding_bag(
            self.spelt[token], self.runs.weight, mode="sum", per_sample_weights=self.share[token]
        )  # [U, D]
        return vectors[place]

    def _kept(self, h: Tensor) -> Tensor:
        if not self.training or self.config.dropout == 0:
            return h
        kept = torch.rand(h.shape[:2], device=h.device) >= self.config.dropout
        return h * kept[:, :, None] / (1 - self.config.dropout)

    def layers(self) -> list[nn.Module]:
        """One layer: all vectors are looked up at once."""
        return [nn.ModuleList([self.embedding, self.runs])]


def character_runs(spelling: Sequence[str], longest: int, buckets: int) -> tuple[Tensor, Tensor]:
    """The buckets of the runs of 2 to `longest` characters of each piece, and their shares.

    Both `[V, R]`. A piece of n runs takes each 1/√n: together as long as one vector, where runs
    have nothing to do with one another.
    """
    found = [
        [
            zlib.crc32(piece[start : start + length].encode()) % buckets
            for length in range(2, longest + 1)
            for start in range(len(piece) - length + 1)
        ][:MOST_RUNS]
        for piece in spelling
    ]
    width = max(1, *(len(runs) for runs in found))
    spelt = torch.zeros(len(found), width, dtype=torch.long)
    share = torch.zeros(len(found), width)
    for i, runs in enumerate(found):
        if runs:
            spelt[i, : len(runs)] = torch.tensor(runs)
            share[i, : len(runs)] = len(runs) ** -0.5
    return spelt, share
