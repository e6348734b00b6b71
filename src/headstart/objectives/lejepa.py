"""LeJEPA: joint embedding without heuristics (Balestriero and LeCun, 2025, arXiv:2511.08544).

Views of a sample should map to one point (prediction), and the points of all samples together
should follow the standard normal law: the law that, among all, makes later tasks easiest. SIGReg
tests that law on random lines through the space, each with the statistic of Epps and Pulley (1983,
Biometrika 70, 723-726), and its value is the loss. No teacher, no stopped gradient, no schedule.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.backbones.base import Backbone
from headstart.collectives import sum_over_processes, world_size
from headstart.parts.learner import Learner
from headstart.parts.projectors import projector
from headstart.parts.views import direction_std
from headstart.settings import Settings, setting
from headstart.types import ANY_KIND, Batch, Spec, Step


class LeJEPAConfig(Settings):
    """The one trade-off, and how finely the law is tested."""

    views: int = setting(2, "views of each sample", flag="", least=2)
    regularisation: float = setting(0.05, "λ: the law's part of the loss", flag="", least=0, most=1)
    slices: int = setting(256, "random lines a step", flag="", least=1)
    points: int = setting(17, "points of the quadrature", flag="", least=2)
    reach: float = setting(5.0, "the quadrature runs from −reach to reach", flag="", above=0)
    projector: tuple[int, ...] = setting(
        (256, 32), "widths of the projector's layers", flag="", least=1
    )


class LeJEPA(Learner):
    """All views at one point, all points normally distributed."""

    Config: ClassVar[type[Settings]] = LeJEPAConfig
    reads = ANY_KIND
    usual_batch = 256
    usual_lr = 3e-3

    def __init__(self, config: LeJEPAConfig, encoder: Backbone, spec: Spec) -> None:  # noqa: ARG002 - compares features, whatever the input
        super().__init__()
        self.config = config
        self.views = config.views
        self.encoder = encoder
        self.projector = projector(encoder.dim, config.projector)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """(1 − λ) · prediction + λ · SIGReg, embeddings `[V, B, P]` (Algorithm 2)."""
        config = self.config
        z = self.project(batch)
        z = z.view(batch.views, -1, z.shape[1])
        lines = directions(z.shape[-1], config.slices, z)
        step = Step.sum(
            len(batch),
            prediction=(1 - config.regularisation) * distance_from_centre(z),
            normality=config.regularisation * sigreg(z, lines, config.points, config.reach),
        )
        step.logs["spread"] = direction_std(z[0])
        return step

    def project(self, batch: Batch) -> Tensor:
        """`[B, P]`."""
        return self.projector(self.encoder(batch).pooled)  # type: ignore[no-any-return]


def distance_from_centre(z: Tensor) -> Tensor:
    """Mean squared difference of each view from the mean of the views: `[V, B, P]` → a number."""
    return (z - z.mean(dim=0)).square().mean()


def directions(width: int, count: int, like: Tensor) -> Tensor:
    """Random unit vectors `[P, S]`, the same in every process; dtype and device of `like`."""
    return F.normalize(torch.randn(width, count, device=like.device, dtype=like.dtype), dim=0)


def sigreg(z: Tensor, lines: Tensor, points: int, reach: float) -> Tensor:
    """Sketched isotropic Gaussian regularisation: the mean statistic over views and lines.

    z: `[V, B, P]` of this process; lines: unit vectors `[P, S]`.
    """
    return epps_pulley(z @ lines, points, reach).mean()


def epps_pulley(x: Tensor, points: int = 17, reach: float = 5.0) -> Tensor:
    """N · ∫ |φ_N(t) − exp(−t²/2)|² exp(−t²/2) dt, by the trapezium rule on −reach..reach.

    φ_N is the empirical characteristic function of the N samples of all processes: only its
    `[V, S, T]` numbers travel between them, however large the batch.

    x: `[V, B, S]`, samples along B. Returns `[V, S]`.
    """
    n = x.shape[1] * world_size()
    # The integrand is even: half of the points do, and count twice (but for t = 0).
    t = torch.linspace(0, reach, points // 2 + 1, device=x.device, dtype=x.dtype)
    normal = torch.exp(-t.square() / 2)  # [T]
    angle = x.unsqueeze(-1) * t  # [V, B, S, T]
    real = sum_over_processes(angle.cos().sum(dim=1)) / n  # [V, S, T]
    imaginary = sum_over_processes(angle.sin().sum(dim=1)) / n
    error = ((real - normal).square() + imaginary.square()) * normal
    return 2 * n * torch.trapezoid(error, t, dim=-1)
