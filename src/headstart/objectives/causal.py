"""Causal language modelling: guess each token from those before it (GPT, Radford et al., 2018).

The only objective that learns to write: `headstart generate`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.backbones.base import Backbone
from headstart.backbones.causal import Causal
from headstart.parts.learner import Learner
from headstart.parts.speller import Speller, unigram_entropy
from headstart.settings import Settings
from headstart.types import Batch, SampleKind, Spec, Step


class CausalLMConfig(Settings):
    """Nothing to set."""


class CausalLM(Learner):
    """Guess what comes next."""

    Config: ClassVar[type[Settings]] = CausalLMConfig
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"tokens"})
    needs: ClassVar[type[Backbone]] = Causal
    packs = True
    encoder: Causal

    def __init__(self, config: CausalLMConfig, encoder: Causal, spec: Spec) -> None:  # noqa: ARG002 - the encoder has the vocabulary
        super().__init__()
        self.encoder = encoder
        self.speller = Speller(encoder)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """Cross-entropy over all tokens that another follows within their text."""
        x, v = batch.x, self.encoder.vocabulary
        h = self.encoder.read(x, x != v.pad)
        follows = x[:, 1:]
        counted = (follows != v.pad) & (follows != v.begin)
        target = follows[counted]
        logits = self.speller(h[:, :-1][counted], self.encoder)  # [M, V]
        return Step.sum(max(1, len(target)), guess=F.cross_entropy(logits, target))

    def next_logits(self, x: Tensor) -> Tensor:
        """What may follow texts `[B, T]` without padding: `[B, V]`."""
        x = x[:, -self.encoder.vocabulary.window :]
        h = self.encoder.read(x, torch.ones_like(x, dtype=torch.bool))
        return self.speller(h[:, -1], self.encoder)  # type: ignore[no-any-return]

    def trivial_loss(self, batch: Batch) -> float:
        """The entropy of tokens: guessing each as often as it occurs."""
        return unigram_entropy(batch.x, self.encoder.vocabulary)
