"""Barlow Twins: self-supervised learning by redundancy reduction (Zbontar et al., 2021).

arXiv:2103.03230. The correlation, over the batch, of each unit of one view with each unit of the
other view should be the identity: a unit says the same of both views, and nothing that another
unit says already.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from headstart.backbones.base import Backbone
from headstart.parts.learner import Learner
from headstart.parts.projectors import projector
from headstart.parts.views import direction_std, gathered
from headstart.settings import Settings, setting
from headstart.types import ANY_KIND, Batch, Spec, Step


class BarlowTwinsConfig(Settings):
    """The price of redundancy, and the projector."""

    redundancy: float = setting(0.005, "λ: weight of an off-diagonal correlation", flag="", least=0)
    projector: tuple[int, ...] = setting(
        (256, 256), "widths of the projector's layers", flag="", least=1
    )


class BarlowTwins(Learner):
    """The cross-correlation of two views should be the identity."""

    Config: ClassVar[type[Settings]] = BarlowTwinsConfig
    reads = ANY_KIND
    views = 2
    usual_batch = 256
    usual_lr = 3e-3

    def __init__(self, config: BarlowTwinsConfig, encoder: Backbone, spec: Spec) -> None:  # noqa: ARG002 - compares features, whatever the input
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.projector = projector(encoder.dim, config.projector)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """Both terms over the global batch, two views `[N, P]` each (eq. 1)."""
        z1, z2 = gathered(self.project(batch), batch.views)
        same, other = distance_from_identity(cross_correlation(z1, z2))
        step = Step.sum(len(z1), invariance=same, redundancy=self.config.redundancy * other)
        step.logs["spread"] = direction_std(z1)
        return step

    def project(self, batch: Batch) -> Tensor:
        """`[B, P]`."""
        return self.projector(self.encoder(batch).pooled)  # type: ignore[no-any-return]


def cross_correlation(z1: Tensor, z2: Tensor, eps: float = 1e-5) -> Tensor:
    """Pearson's correlation of each unit of one view with each of the other (eq. 2).

    z1, z2: `[N, P]` → `[P, P]`. eps keeps a constant unit's row at zero.
    """
    return standard(z1, eps).T @ standard(z2, eps) / len(z1)


def standard(z: Tensor, eps: float) -> Tensor:
    """Each unit with mean 0 and variance 1 over the batch: `[N, P]`."""
    centred = z - z.mean(dim=0)
    return centred / (centred.square().mean(dim=0) + eps).sqrt()


def distance_from_identity(c: Tensor) -> tuple[Tensor, Tensor]:
    """Σ_i (1 − C_ii)² and Σ_{i ≠ j} C_ij² of `[P, P]`: the two sums of eq. 1."""
    diagonal = c.diagonal()
    return (1 - diagonal).square().sum(), c.square().sum() - diagonal.square().sum()
