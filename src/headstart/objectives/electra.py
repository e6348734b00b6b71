"""ELECTRA: tell replaced tokens from real ones (Clark et al., 2020, arXiv:2003.10555).

A small generator guesses hidden tokens; the encoder sees its guesses in their places and says of
every token whether it is the text's own. All tokens teach, where masked language modelling learns
from the hidden ones only, and the encoder never sees a mask that fine-tuning has not.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.backbones.tokenwise import Tokenwise
from headstart.backbones.transformer import Transformer, TransformerConfig
from headstart.errors import UserError
from headstart.modalities.augment.words import is_text
from headstart.parts.learner import Learner
from headstart.parts.masking import hidden_tokens, spoilt
from headstart.parts.speller import Speller
from headstart.settings import Settings, setting
from headstart.types import Batch, SampleKind, Spec, Step


class ELECTRAConfig(Settings):
    """What is hidden, and who guesses it."""

    ratio: float = setting(
        0.15, "share of tokens that the generator guesses", flag="", above=0, below=1
    )
    weight: float = setting(50.0, "of telling replaced from real, λ in the paper", flag="", least=0)
    width: int = setting(64, "of the generator; a multiple of 8", flag="", least=8)
    depth: int = setting(2, "blocks of the generator", flag="", least=1)


class ELECTRA(Learner):
    """Hidden tokens → the generator's guesses → real or replaced?"""

    Config: ClassVar[type[Settings]] = ELECTRAConfig
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"tokens"})
    needs: ClassVar[type[Backbone]] = Tokenwise  # type: ignore[type-abstract]
    packs = True
    encoder: Tokenwise

    def __init__(self, config: ELECTRAConfig, encoder: Tokenwise, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        if config.width % 8:
            raise UserError(
                f"setting 'objective.width' is {config.width}: it must be a multiple of 8."
            )
        small = TransformerConfig(
            width=config.width, depth=config.depth, heads=4, pool="mean", dropout=0.0
        )
        self.generator = Transformer(small, spec)
        self.speller = Speller(self.generator)
        self.judge = nn.Sequential(
            nn.Linear(encoder.token_dim, encoder.token_dim), nn.GELU(),
            nn.Linear(encoder.token_dim, 1),
        )  # fmt: skip

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """The generator's cross-entropy and λ times the encoder's (section 2)."""
        x, v = batch.x, self.encoder.vocabulary
        chosen = hidden_tokens(x, self.config.ratio, v)
        logits = self.speller(
            self._features(self.generator, spoilt(x, chosen, v, replace=0, keep=0))[chosen],
            self.generator,
        )  # [M, V]
        seen = x.clone()
        seen[chosen] = sampled(logits.detach())
        text = is_text(x, v)
        real = self.judge(self._features(self.encoder, seen)[text])[:, 0]  # [N]
        replaced = (seen != x)[text].float()
        step = Step.sum(
            int(text.sum()),
            guess=F.cross_entropy(logits, x[chosen]),
            tell=self.config.weight * F.binary_cross_entropy_with_logits(real, replaced),
        )
        found = ((real.detach() > 0) & (replaced > 0)).float().sum()
        step.logs["found"] = found / replaced.sum().clamp(min=1)
        return step

    def _features(self, network: Tokenwise, x: Tensor) -> Tensor:
        return network.read(x, x != network.vocabulary.pad)


def sampled(logits: Tensor) -> Tensor:
    """A token drawn from each row of logits `[M, V]` → `[M]` (Gumbel's maximum)."""
    noise = torch.empty_like(logits).exponential_()
    return (logits.softmax(dim=1) / noise).argmax(dim=1)
