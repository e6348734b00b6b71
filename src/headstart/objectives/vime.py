"""VIME: value imputation and mask estimation (Yoon et al., 2020, NeurIPS 33).

Some columns of a row are replaced by values of other rows. The encoder's code must tell which
(mask estimation), and what stood there (value imputation): both need to know how columns hang
together, which is what few labels can be learned on top of.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from headstart.backbones.base import Backbone
from headstart.modalities.augment.swap import swapped
from headstart.parts.columns import Guesses, column_losses, each_member
from headstart.parts.learner import Learner
from headstart.settings import Settings, setting
from headstart.types import Batch, SampleKind, Spec, Step


class VIMEConfig(Settings):
    """How much is replaced, and what is asked for."""

    ratio: float = setting(0.3, "share of columns that are replaced", flag="", above=0, most=1)
    mask: float = setting(1.0, "weight of telling which were", flag="", least=0)
    values: float = setting(1.0, "weight of telling what stood there", flag="", least=0)
    everywhere: bool = setting(
        True, "ask for the values of all columns, not only of the replaced ones", flag=""
    )


class VIME(Learner):
    """Row with wrong values → code → which are wrong, and the right ones."""

    Config: ClassVar[type[Settings]] = VIMEConfig
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"mixed"})
    usual_batch = 256

    def __init__(self, config: VIMEConfig, encoder: Backbone, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.spec = spec
        self.guesses = Guesses(encoder.dim, spec)
        self.doubt = nn.Linear(encoder.dim, spec.size)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """Binary cross-entropy of the mask, and the columns' losses."""
        seen, _ = swapped(batch.x, self.config.ratio)
        codes, members = each_member(self.encoder(Batch(seen)))  # [B · K, D]
        clean = batch.x.repeat_interleave(members, dim=0)
        wrong = (seen != batch.x).repeat_interleave(members, dim=0)
        asked = torch.ones_like(wrong) if self.config.everywhere else wrong
        values = column_losses(self.guesses(codes), clean, self.spec)
        return Step.sum(
            len(batch),
            mask=self.config.mask
            * F.binary_cross_entropy_with_logits(self.doubt(codes), wrong.float()),
            values=self.config.values * (values * asked).sum() / asked.sum().clamp(min=1),
        )

    def trivial_loss(self, batch: Batch) -> None:  # noqa: ARG002 - of several parts
        """Not known in closed form."""
        return
