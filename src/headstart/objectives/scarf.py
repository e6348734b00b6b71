"""SCARF: contrastive learning by random feature corruption (Bahri et al., 2022, arXiv:2106.15147).

A row, and the same row with most of its columns replaced by values of other rows, must find one
another among all rows of the batch. No augmentation need be known: the columns' own laws give it.
"""

from __future__ import annotations

from typing import ClassVar

import torch

from headstart.backbones.base import Backbone
from headstart.modalities.augment.swap import swapped
from headstart.objectives.simclr import check_temperature, nt_xent
from headstart.parts.learner import Learner
from headstart.parts.projectors import projector
from headstart.parts.views import gathered, spread
from headstart.settings import Settings, setting
from headstart.types import Batch, SampleKind, Spec, Step


class SCARFConfig(Settings):
    """How much is replaced, and how sharply rows are told apart; as in the paper."""

    ratio: float = setting(0.6, "share of columns that are replaced", flag="")
    temperature: float = setting(1.0, "of the similarities", flag="")
    projector: tuple[int, ...] = setting((256, 256), "widths of the projector's layers", flag="")


class SCARF(Learner):
    """Row and spoilt row find each other."""

    Config: ClassVar[type[Settings]] = SCARFConfig
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"mixed"})
    usual_batch = 256
    compares = True

    def __init__(self, config: SCARFConfig, encoder: Backbone, spec: Spec) -> None:  # noqa: ARG002 - compares features, whatever the columns
        super().__init__()
        check_temperature(config.temperature)
        self.config = config
        self.encoder = encoder
        self.projector = projector(encoder.dim, config.projector)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """NT-Xent over the global batch."""
        spoilt, _ = swapped(batch.x, self.config.ratio)
        pooled = self.encoder(Batch(torch.cat([batch.x, spoilt]))).pooled  # [2 · B, D]
        z1, z2 = gathered(self.projector(pooled), 2)  # [N, P] each
        step = Step.sum(len(z1), contrast=nt_xent(z1, z2, self.config.temperature))
        step.logs["spread"] = spread(z1)
        return step
