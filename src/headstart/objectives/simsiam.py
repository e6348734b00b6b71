"""SimSiam: exploring simple siamese representation learning (Chen and He, 2021).

arXiv:2011.10566. One network, two views: a predictor on one side, no gradient on the other.
Neither negatives nor a moving average; without the stopped gradient it collapses at once.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from headstart.backbones.base import Backbone
from headstart.parts.learner import Learner
from headstart.parts.projectors import projector
from headstart.parts.views import direction_std, split
from headstart.settings import Settings, setting
from headstart.types import ANY_KIND, Batch, Spec, Step


class SimSiamConfig(Settings):
    """The heads: the predictor is a bottleneck, a quarter of the projection."""

    projector: tuple[int, ...] = setting(
        (256, 256), "widths of the projector's layers", flag="", least=1
    )
    predictor: int = setting(64, "width of the predictor's hidden layer", flag="", least=1)


class SimSiam(Learner):
    """Predict one view's projection from the other's, and let only one side learn."""

    Config: ClassVar[type[Settings]] = SimSiamConfig
    reads = ANY_KIND
    views = 2
    usual_batch = 256
    usual_lr = 3e-3
    chases = True

    def __init__(self, config: SimSiamConfig, encoder: Backbone, spec: Spec) -> None:  # noqa: ARG002 - compares features, whatever the input
        super().__init__()
        self.encoder = encoder
        self.projector = projector(encoder.dim, config.projector, last_norm=True)
        width = config.projector[-1]
        self.predictor = projector(width, (config.predictor, width))

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """½ D(p1, stop(z2)) + ½ D(p2, stop(z1)) (eq. 4), views `[B, P]` each."""
        z = self.project(batch)  # [2B, P]
        z1, z2 = split(z.detach(), batch)
        p1, p2 = split(self.predictor(z), batch)
        step = Step.sum(len(batch), prediction=(distance(p1, z2) + distance(p2, z1)) / 2)
        step.logs["spread"] = direction_std(z)
        return step

    def project(self, batch: Batch) -> Tensor:
        """`[B, P]`."""
        return self.projector(self.encoder(batch).pooled)  # type: ignore[no-any-return]


def distance(p: Tensor, z: Tensor) -> Tensor:
    """The negative cosine of `[B, P]` and `[B, P]`, averaged (eq. 1)."""
    return -F.cosine_similarity(p, z, dim=1).mean()
