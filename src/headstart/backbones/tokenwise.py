"""The face of backbones that read tokens and say something of each."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.types import Batch, Features, SampleKind, Spec, Vocabulary

Pool = Literal["mean", "max", "first", "last"]


class Tokenwise(Backbone):
    """A backbone of token numbers `[B, T]`: one vector a token, and one of the whole text.

    embedding: `[V, E]`, which objectives that guess tokens use to spell their guesses.
    pooling: how tokens become one vector.
    long: whether a text may be wider than a window.
    """

    reads: ClassVar[frozenset[SampleKind]] = frozenset({"tokens"})
    vocabulary: Vocabulary
    embedding: nn.Embedding
    pooling: Pool
    long: bool

    def begin(self, spec: Spec, width: int, pooling: Pool) -> None:
        """What all begin with: a vector of `width` a token, in and out."""
        nn.Module.__init__(self)
        assert spec.vocabulary is not None
        self.vocabulary = spec.vocabulary
        self.pooling = pooling
        self.dim = self.token_dim = width
        self.embedding = embed(spec.vocabulary, width)
        self.long = spec.shape[0] > spec.vocabulary.window

    @abstractmethod
    def read(self, x: Tensor, there: Tensor) -> Tensor:
        """Tokens `[B, T]` → `[B, T, D]`. there: `[B, T]`, False where a row is only filled up."""

    def forward(self, batch: Batch) -> Features:
        """`[B, T]` → pooled `[B, D]`, tokens `[B, T, D]`, mask `[B, T]`."""
        there = batch.x != self.vocabulary.pad
        tokens = self.read(batch.x, there)
        return Features(pool(tokens, there, self.pooling), tokens, there)


def pool(tokens: Tensor, there: Tensor, how: Pool) -> Tensor:
    """Tokens `[B, T, D]` that are there `[B, T]` as one vector each, `[B, D]`."""
    if how == "first":
        return tokens[:, 0]
    if how == "last":
        last = there.sum(dim=1).clamp(min=1) - 1  # [B]
        return tokens[torch.arange(len(tokens), device=tokens.device), last]
    if how == "max":
        return tokens.masked_fill(~there[:, :, None], -torch.inf).amax(dim=1)
    share = there.to(tokens.dtype)
    share = share / share.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.einsum("bt,btd->bd", share, tokens)


def embed(vocabulary: Vocabulary, width: int) -> nn.Embedding:
    """Token embeddings, small at first, for they also spell (GPT-2's 0.02); padding is zero."""
    embedding = nn.Embedding(vocabulary.size, width, padding_idx=vocabulary.pad)
    nn.init.normal_(embedding.weight, std=0.02)
    with torch.no_grad():
        embedding.weight[vocabulary.pad].zero_()
    return embedding


def windows(x: Tensor, width: int) -> Tensor:
    """Rows `[B, T, ...]` wider than `width` cut into whole windows: `[B·T/width, width, ...]`."""
    return x if x.shape[1] <= width else x.reshape(-1, width, *x.shape[2:])
