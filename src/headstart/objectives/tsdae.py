"""A denoising autoencoder for texts (TSDAE, Wang et al., 2021, arXiv:2104.06979).

Most words of a text are deleted; the encoder makes one vector of what is left, and a small causal
decoder that sees nothing else writes the whole text from it. All that was said must go through
that vector, which is the one that fine-tuning reads.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.backbones.tokenwise import Tokenwise
from headstart.backbones.transformer import Block, rotary
from headstart.errors import UserError
from headstart.modalities.augment.words import deleted
from headstart.parts.learner import Learner
from headstart.settings import Settings, setting
from headstart.types import Batch, SampleKind, Spec, Step


class TSDAEConfig(Settings):
    """How texts are spoilt, and who writes them again."""

    delete: float = setting(0.6, "share of tokens that are deleted", flag="", least=0, below=1)
    depth: int = setting(1, "blocks of the decoder", flag="", least=1)
    heads: int = setting(4, "of the decoder's attention", flag="", least=1)


class TSDAE(Learner):
    """Few words → one vector → the whole text."""

    Config: ClassVar[type[Settings]] = TSDAEConfig
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"tokens"})
    needs: ClassVar[type[Backbone]] = Tokenwise  # type: ignore[type-abstract]
    encoder: Tokenwise
    cos: Tensor
    sin: Tensor

    def __init__(self, config: TSDAEConfig, encoder: Tokenwise, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        width = encoder.embedding.embedding_dim
        if width % (2 * config.heads):
            raise UserError(
                f"setting 'objective.heads' is {config.heads}: tokens have {width} numbers, which"
                f" must be a multiple of 2 × objective.heads."
            )
        self.enter = nn.Linear(encoder.dim, width)
        self.blocks = nn.ModuleList(Block(width, config.heads, 0.0) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(encoder.vocabulary.size))
        cos, sin = rotary(spec.shape[0], width // config.heads)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """Cross-entropy of each token, given the vector and the tokens before it."""
        x, v = batch.x, self.encoder.vocabulary
        code = self.enter(self.encoder(Batch(deleted(x, self.config.delete, v))).pooled)  # [B, E]
        h = self.encoder.embedding(x[:, :-1]) + code[:, None]
        turn = self.cos[: h.shape[1]], self.sin[: h.shape[1]]
        for block in self.blocks:
            h = block(h, None, None, turn, causal=True)
        counted = x[:, 1:] != v.pad
        logits = F.linear(self.norm(h)[counted], self.encoder.embedding.weight, self.bias)
        target = x[:, 1:][counted]
        return Step.sum(max(1, len(target)), write=F.cross_entropy(logits, target))
