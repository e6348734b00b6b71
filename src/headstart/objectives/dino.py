"""DINO: self-distillation with no labels (Caron et al., 2021, arXiv:2104.14294).

A student sorts a view among prototypes as its teacher, a moving average of itself, sorts another
view of the same sample. Centring the teacher's scores keeps one prototype from taking everything,
sharpening them keeps all from sharing alike; together they prevent collapse. What is kept is the
teacher: it is better than the student throughout (section 5.1).
"""

from __future__ import annotations

import copy
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.collectives import mean_over_processes
from headstart.parts.learner import Learner
from headstart.parts.projectors import projector
from headstart.parts.teacher import follow, momentum_at, teacher_of
from headstart.parts.views import direction_std
from headstart.settings import Settings, setting
from headstart.types import ANY_KIND, Batch, Spec, Step


class DINOConfig(Settings):
    """Temperatures, prototypes, and how slowly teacher and centre follow."""

    views: int = setting(
        2, "views of each sample, every one compared with every other", flag="", least=2
    )
    student_temperature: float = setting(0.1, "of the student's scores", flag="", above=0)
    teacher_temperature: float = setting(
        0.04, "of the teacher's: lower is sharper", flag="", above=0
    )
    momentum: float = setting(
        0.95, "of the teacher at the start; it rises to 1 along a cosine", flag="", least=0, below=1
    )
    centre_momentum: float = setting(
        0.9, "of the mean that is taken from its scores", flag="", least=0, below=1
    )
    prototypes: int = setting(64, "how many there are", flag="", least=2)
    projector: tuple[int, ...] = setting((256, 64), "widths of the head's layers", flag="", least=1)


class DINO(Learner):
    """Sort each view as the teacher sorts the others."""

    Config: ClassVar[type[Settings]] = DINOConfig
    reads = ANY_KIND
    usual_batch = 256
    usual_lr = 3e-3
    chases = True

    centre: Tensor  # [K]
    settled: Tensor  # 0 before the first step: the centre then takes the first mean whole

    def __init__(self, config: DINOConfig, encoder: Backbone, spec: Spec) -> None:  # noqa: ARG002 - compares features, whatever the input
        super().__init__()
        self.config = config
        self.views = config.views
        self.student = copy.deepcopy(encoder)
        self.student_head = Head(encoder.dim, config)
        self.encoder = encoder.requires_grad_(requires_grad=False)  # the teacher
        self.head = teacher_of(self.student_head)
        self.register_buffer("centre", torch.zeros(config.prototypes))
        self.register_buffer("settled", torch.zeros(()))
        self._mean: Tensor | None = None

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """Cross-entropy over every pair of different views, scores `[V, B, K]` (eq. 3)."""
        config = self.config
        student = self.student_head(self.student(batch).pooled)  # [V·B, K]
        with torch.no_grad():
            z = self.project(batch)
            scores = self.head.score(z)  # [V·B, K]
            teacher = sharpened(scores, self.centre, config.teacher_temperature)
        if self.training:
            self._mean = mean_over_processes(scores.mean(dim=0))
        step = Step.sum(
            len(batch),
            distillation=cross_entropy(
                teacher.view(batch.views, len(batch), -1),
                student.view(batch.views, len(batch), -1) / config.student_temperature,
            ),
        )
        step.logs["spread"] = direction_std(z)
        step.logs["teacher_entropy"] = entropy(teacher)
        step.logs["prototype_entropy"] = entropy(teacher.mean(dim=0))
        return step

    def project(self, batch: Batch) -> Tensor:
        """The teacher's `[B, P]`."""
        return self.head.project(self.encoder(batch).pooled)

    def after_step(self, progress: float) -> None:
        """The teacher moves towards the student, the centre towards the batch's mean (eq. 4)."""
        momentum = momentum_at(progress, self.config.momentum)
        follow(self.encoder, self.student, momentum)
        follow(self.head, self.student_head, momentum)
        if self._mean is not None:
            share = 1 - self.config.centre_momentum * self.settled
            self.centre += share * (self._mean - self.centre)
            self.settled.fill_(1.0)
            self._mean = None


class Head(nn.Module):
    """A projector, then the cosine with each of K learned prototypes."""

    def __init__(self, dim: int, config: DINOConfig) -> None:
        super().__init__()
        self.projector = projector(dim, config.projector)
        self.prototypes = nn.Parameter(torch.randn(config.prototypes, config.projector[-1]))

    def project(self, pooled: Tensor) -> Tensor:
        """`[N, D]` → `[N, P]`."""
        return self.projector(pooled)  # type: ignore[no-any-return]

    def score(self, z: Tensor) -> Tensor:
        """`[N, P]` → `[N, K]` in −1..1."""
        return F.normalize(z, dim=1) @ F.normalize(self.prototypes, dim=1).T

    def forward(self, pooled: Tensor) -> Tensor:
        """`[N, D]` → `[N, K]`."""
        return self.score(self.project(pooled))


def sharpened(scores: Tensor, centre: Tensor, temperature: float) -> Tensor:
    """softmax((scores − centre) / temperature): `[..., K]`, the teacher's side of Algorithm 1."""
    return F.softmax((scores - centre) / temperature, dim=-1)


def cross_entropy(teacher: Tensor, student: Tensor) -> Tensor:
    """−Σ_k p_k log q_k over pairs of different views, averaged over pairs and samples (eq. 3).

    teacher: probabilities `[V, B, K]`; student: logits `[V, B, K]`.
    """
    views, count, _ = teacher.shape
    log_q = F.log_softmax(student, dim=-1)
    each: Tensor = -torch.einsum("ibk,jbk->ij", teacher, log_q)  # [V, V]
    return (each.sum() - each.diagonal().sum()) / (count * views * (views - 1))


def entropy(p: Tensor) -> Tensor:
    """Mean entropy in nats of probabilities `[..., K]`."""
    return torch.special.entr(p).sum(dim=-1).mean()  # type: ignore[no-any-return]
