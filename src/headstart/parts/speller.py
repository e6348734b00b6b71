"""From a token's features to logits over the vocabulary, spelt with the encoder's embeddings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.tokenwise import Tokenwise
from headstart.modalities.augment.words import is_text
from headstart.types import Vocabulary


class Speller(nn.Module):
    """A layer, a norm, and the transposed embedding (Press and Wolf, 2017, arXiv:1608.05859)."""

    def __init__(self, encoder: Tokenwise) -> None:
        super().__init__()
        width = encoder.embedding.embedding_dim
        self.layer = nn.Linear(encoder.token_dim, width)
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(encoder.vocabulary.size))

    def forward(self, h: Tensor, encoder: Tokenwise) -> Tensor:
        """Features `[M, D]` → logits `[M, V]`."""
        h = self.norm(F.gelu(self.layer(h)))
        return F.linear(h, encoder.embedding.weight, self.bias)


def unigram_entropy(x: Tensor, vocabulary: Vocabulary) -> float:
    """Entropy in nats of the tokens of text in `[B, T]`: the loss of the best constant guess."""
    text = is_text(x, vocabulary)
    counts = torch.bincount(x[text], minlength=vocabulary.size).double()
    return float(torch.special.entr(counts / counts.sum()).sum())
