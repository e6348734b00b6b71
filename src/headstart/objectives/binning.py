"""Binning (Lee et al., 2024, arXiv:2405.07414): which part of its column is each number in?

Columns are cut at quantiles of train. Of a row with some values swapped, the code must say the bin
of every number and the value of every category. Bins do away with scale and outliers, and ask for
what trees are good at: where a value lies among the others.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.backbones.encoded import coarser
from headstart.modalities.augment.swap import swapped
from headstart.parts.columns import each_member
from headstart.parts.learner import Learner
from headstart.settings import Settings, setting
from headstart.types import Batch, SampleKind, Spec, Step


class BinningConfig(Settings):
    """How fine, and how much is swapped."""

    bins: int = setting(10, "parts of each number's column", flag="", least=2)
    ratio: float = setting(
        0.3, "share of columns that have another row's value", flag="", least=0, most=1
    )


class Binning(Learner):
    """Row with wrong values → code → the bin of each number, the value of each category."""

    Config: ClassVar[type[Settings]] = BinningConfig
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"mixed"})
    usual_batch = 256

    def __init__(self, config: BinningConfig, encoder: Backbone, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.spec = spec
        self.inner = [torch.tensor(coarser(own, config.bins)[1:-1]) for own in spec.edges]
        self.counts = [len(own) + 1 for own in self.inner] + list(spec.cardinalities)
        self.guesses = nn.Sequential(
            nn.Linear(encoder.dim, 256), nn.ReLU(), nn.Linear(256, sum(self.counts))
        )

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """Mean over columns of the cross-entropy, as a share of a blind guess's."""
        seen, _ = swapped(batch.x, self.config.ratio)
        codes, members = each_member(self.encoder(Batch(seen)))  # [B · K, D]
        target = self.target(batch.x).repeat_interleave(members, dim=0)  # [B · K, F]
        said = self.guesses(codes).split(self.counts, dim=1)
        losses = [
            F.cross_entropy(logits, target[:, i]) / math.log(max(2, self.counts[i]))
            for i, logits in enumerate(said)
        ]
        return Step.sum(len(batch), bins=torch.stack(losses).mean())

    def target(self, x: Tensor) -> Tensor:
        """The bin or the code of each column of `[B, F]`."""
        bins = [torch.bucketize(x[:, i].contiguous(), e.to(x)) for i, e in enumerate(self.inner)]
        codes = x[:, self.spec.numbers :].long()
        return torch.cat([torch.stack(bins, dim=1), codes], dim=1) if bins else codes
