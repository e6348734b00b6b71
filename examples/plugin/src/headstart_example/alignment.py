"""Alignment and uniformity on the sphere (Wang and Isola, 2020, arXiv:2005.10242).

Two views of a sample should lie close together, and all samples should be spread evenly.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.backbones.base import Backbone
from headstart.parts.learner import Learner
from headstart.parts.projectors import projector
from headstart.parts.views import gathered
from headstart.settings import Settings, setting
from headstart.types import ANY_KIND, Batch, Spec, Step


class AlignmentConfig(Settings):
    """Weight of the second term, and the projector."""

    uniformity: float = setting(1.0, "weight of being spread evenly", flag="")
    projector: tuple[int, ...] = setting((256, 64), "widths of the projector's layers", flag="")


class Alignment(Learner):
    """Views together, samples apart."""

    Config: ClassVar[type[Settings]] = AlignmentConfig
    reads = ANY_KIND
    views = 2
    usual_batch = 256

    def __init__(self, config: AlignmentConfig, encoder: Backbone, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.projector = projector(encoder.dim, config.projector)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:
        """Both terms over the global batch, two views `[N, P]` each."""
        z1, z2 = (F.normalize(z, dim=1) for z in gathered(self.project(batch), batch.views))
        spread = (uniformity(z1) + uniformity(z2)) / 2
        return Step.sum(len(z1), align=alignment(z1, z2), uniform=self.config.uniformity * spread)

    def project(self, batch: Batch) -> Tensor:
        """`[B, P]`."""
        return self.projector(self.encoder(batch).pooled)


def alignment(z1: Tensor, z2: Tensor) -> Tensor:
    """Mean squared distance of the two views, unit vectors `[N, P]` each (eq. 4)."""
    return (z1 - z2).square().sum(dim=1).mean()


def uniformity(z: Tensor, t: float = 2.0) -> Tensor:
    """Logarithm of the mean Gaussian kernel of all pairs of `[N, P]` (eq. 5)."""
    return torch.pdist(z).square().mul(-t).exp().mean().log()
