"""BYOL: bootstrap your own latent (Grill et al., 2020, arXiv:2006.07733).

An online network predicts what a target network, its own moving average, says of another view.
There are no negatives; the predictor, and the target that lags behind, keep it from collapse.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.parts.learner import Learner
from headstart.parts.projectors import projector
from headstart.parts.teacher import follow, momentum_at, teacher_of
from headstart.parts.views import direction_std, split
from headstart.settings import Settings, setting
from headstart.types import ANY_KIND, Batch, Spec, Step


class BYOLConfig(Settings):
    """The heads, and how slowly the target follows."""

    momentum: float = setting(
        0.99, "of the target at the start; it rises to 1 along a cosine", flag="", least=0, most=1
    )
    projector: tuple[int, ...] = setting(
        (256, 64), "widths of the projector's layers", flag="", least=1
    )
    predictor: int = setting(256, "width of the predictor's hidden layer", flag="", least=1)


class BYOL(Learner):
    """Predict what a slower self says of another view."""

    Config: ClassVar[type[Settings]] = BYOLConfig
    reads = ANY_KIND
    views = 2
    usual_batch = 256
    usual_lr = 3e-3
    chases = True

    def __init__(self, config: BYOLConfig, encoder: Backbone, spec: Spec) -> None:  # noqa: ARG002 - compares features, whatever the input
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.projector = projector(encoder.dim, config.projector)
        width = config.projector[-1]
        self.predictor = projector(width, (config.predictor, width))
        self.target = nn.ModuleDict(
            {"encoder": teacher_of(encoder), "projector": teacher_of(self.projector)}
        )

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """Each view predicts the target's projection of the other `[B, P]`; symmetric (eq. 2)."""
        z = self.project(batch)  # [2B, P]
        q1, q2 = split(self.predictor(z), batch)
        with torch.no_grad():
            t1, t2 = split(self.target["projector"](self.target["encoder"](batch).pooled), batch)
        step = Step.sum(len(batch), prediction=distance(q1, t2) + distance(q2, t1))
        step.logs["spread"] = direction_std(z)
        return step

    def project(self, batch: Batch) -> Tensor:
        """`[B, P]`."""
        return self.projector(self.encoder(batch).pooled)  # type: ignore[no-any-return]

    def after_step(self, progress: float) -> None:
        """The target moves a little towards the online network."""
        momentum = momentum_at(progress, self.config.momentum)
        follow(self.target["encoder"], self.encoder, momentum)
        follow(self.target["projector"], self.projector, momentum)


def distance(q: Tensor, t: Tensor) -> Tensor:
    """|q/|q| − t/|t||² = 2 − 2·cos(q, t), averaged over `[B, P]` (eq. 2)."""
    return (2 - 2 * F.cosine_similarity(q, t, dim=1)).mean()
