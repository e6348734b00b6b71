"""Masked language modelling (BERT, Devlin et al., 2019, arXiv:1810.04805).

Some tokens are hidden and guessed from all others: token by token, whole words at once, or spans
(SpanBERT, Joshi et al., 2020, arXiv:1907.10529), which leave less to guess from half a word.
Logits are made only where something is hidden, which is what makes a large vocabulary cheap.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor

from headstart.backbones.base import Backbone
from headstart.backbones.tokenwise import Tokenwise
from headstart.errors import UserError
from headstart.parts.learner import Learner
from headstart.parts.masking import hidden_spans, hidden_tokens, hidden_words, spoilt
from headstart.parts.speller import Speller, unigram_entropy
from headstart.settings import Settings, setting
from headstart.types import Batch, SampleKind, Spec, Step


class MLMConfig(Settings):
    """What is hidden."""

    ratio: float = setting(0.3, "share of tokens that are guessed", flag="", above=0, below=1)
    unit: Literal["token", "word", "span"] = setting(
        "word", "what is hidden at once: token, word or span", flag=""
    )
    span: float = setting(3.0, "tokens of a span on average", flag="", least=1)
    replace: float = setting(
        0.1, "of the hidden: share that a random token stands for", flag="", least=0, most=1
    )
    keep: float = setting(
        0.1, "of the hidden: share that is left as it is", flag="", least=0, most=1
    )


class MLM(Learner):
    """Guess hidden tokens."""

    Config: ClassVar[type[Settings]] = MLMConfig
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"tokens"})
    needs: ClassVar[type[Backbone]] = Tokenwise  # type: ignore[type-abstract]
    packs = True
    encoder: Tokenwise

    def __init__(self, config: MLMConfig, encoder: Tokenwise, spec: Spec) -> None:  # noqa: ARG002 - the encoder has the vocabulary
        super().__init__()
        self.config = config
        self.encoder = encoder
        if config.replace + config.keep > 1:
            raise UserError(
                f"settings 'objective.replace' and 'objective.keep' are {config.replace:g} and"
                f" {config.keep:g}: together they must be at most 1."
            )
        self.speller = Speller(encoder)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """Cross-entropy of the guesses, and how many are right."""
        chosen = self.hide(batch.x)
        logits = self.guess(self.spoil(batch.x, chosen), chosen)  # [M, V]
        target = batch.x[chosen]
        step = Step.sum(max(1, len(target)), guess=F.cross_entropy(logits, target))
        step.logs["right"] = (logits.detach().argmax(dim=1) == target).float().mean()
        return step

    def hide(self, x: Tensor) -> Tensor:
        """Which of `[B, T]` to guess: at least one."""
        v, ratio = self.encoder.vocabulary, self.config.ratio
        if self.config.unit == "word":
            return hidden_words(x, ratio, v)
        if self.config.unit == "span":
            return hidden_spans(x, ratio, self.config.span, v)
        return hidden_tokens(x, ratio, v)

    def spoil(self, x: Tensor, chosen: Tensor) -> Tensor:
        """What the encoder sees, `[B, T]`."""
        v = self.encoder.vocabulary
        return spoilt(x, chosen, v, replace=self.config.replace, keep=self.config.keep)

    def guess(self, seen: Tensor, chosen: Tensor) -> Tensor:
        """Logits `[M, V]` of the chosen places of `[B, T]`, row by row."""
        there = seen != self.encoder.vocabulary.pad
        return self.speller(self.encoder.read(seen, there)[chosen], self.encoder)  # type: ignore[no-any-return]

    def trivial_loss(self, batch: Batch) -> float:
        """The entropy of tokens: guessing each as often as it occurs."""
        return unigram_entropy(batch.x, self.encoder.vocabulary)
