"""VICReg: variance, invariance, covariance (Bardes et al., 2022, arXiv:2105.04906).

Two views of a sample should map to the same point (invariance), every dimension should stay alive
(variance) and carry information of its own (covariance).
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.backbones.base import Backbone
from headstart.parts.learner import Learner
from headstart.parts.projectors import projector
from headstart.parts.views import direction_std, gathered
from headstart.settings import Settings, setting
from headstart.types import ANY_KIND, Batch, Spec, Step


class VICRegConfig(Settings):
    """Weights of the three terms (eq. 6; the paper's) and the expander."""

    invariance: float = setting(25.0, "weight of two views being the same", flag="", least=0)
    variance: float = setting(
        25.0, "weight of every unit keeping a deviation of 1", flag="", least=0
    )
    covariance: float = setting(1.0, "weight of units being uncorrelated", flag="", least=0)
    projector: tuple[int, ...] = setting(
        (256, 256), "widths of the expander's layers", flag="", least=1
    )


class VICReg(Learner):
    """Two views the same, all units alive, no two units alike."""

    Config: ClassVar[type[Settings]] = VICRegConfig
    reads = ANY_KIND
    views = 2
    usual_batch = 256
    usual_lr = 3e-3

    def __init__(self, config: VICRegConfig, encoder: Backbone, spec: Spec) -> None:  # noqa: ARG002 - compares features, whatever the input
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.projector = projector(encoder.dim, config.projector)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """The three terms over the global batch, two views `[N, P]` each."""
        config = self.config
        z1, z2 = gathered(self.project(batch), batch.views)
        step = Step.sum(
            len(z1),
            invariance=config.invariance * F.mse_loss(z1, z2),
            variance=config.variance * (shortfall(z1) + shortfall(z2)) / 2,
            covariance=config.covariance * (redundancy(z1) + redundancy(z2)),
        )
        step.logs["spread"] = direction_std(z1)
        return step

    def project(self, batch: Batch) -> Tensor:
        """`[B, P]`."""
        return self.projector(self.encoder(batch).pooled)  # type: ignore[no-any-return]


def shortfall(z: Tensor, target: float = 1.0, eps: float = 1e-4) -> Tensor:
    """Mean shortfall of each unit's deviation from `target`: v(Z), eq. 1 and 2. z: `[N, P]`."""
    return F.relu(target - torch.sqrt(z.var(dim=0) + eps)).mean()


def redundancy(z: Tensor) -> Tensor:
    """Squared covariances between different units, summed, over P: c(Z), eq. 3 and 4.

    z: `[N, P]`.
    """
    n, width = z.shape
    centred = z - z.mean(dim=0)
    covariance = centred.T @ centred / (n - 1)  # [P, P]
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / width
