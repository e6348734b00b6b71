"""Virtual adversarial training (Miyato et al., 2018, arXiv:1704.03976).

Around every sample, labelled or not, answers should not change: least of all in the direction in
which they change most. That direction needs no label and no augmentation, only the network, so
this serves rows of numbers and features, for which nobody knows a change that means nothing.

    r_adv = argmax D(p(x), p(x + r)) over ‖r‖ ≤ ε          (eq. 5)
    loss  = labels' loss + α · mean D(p(x), p(x + r_adv))   (eq. 8)

p is held fixed as the target. The direction is the first eigenvector of D's second derivative,
found by one or a few rounds of power iteration through gradients (eq. 9 to 13).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from headstart import collectives
from headstart.backbones.windows import inside
from headstart.errors import UserError
from headstart.parts.learner import Learner
from headstart.settings import Settings, setting
from headstart.tasks.student import StudentMixin, known_loss
from headstart.tasks.supervised import Supervised
from headstart.types import Batch, Spec, Step


class VirtualAdversarialConfig(Settings):
    """How far from a sample answers should hold, and how much that counts."""

    radius: float = setting(
        0.25, "length of the change a value, in deviations: ε = radius · √values", flag="", above=0
    )
    weight: float = setting(
        1.0, "α, of the change of answers beside the labels' loss", flag="", least=0
    )
    rounds: int = setting(
        1, "of power iteration; each costs a pass forward and back", flag="", least=1
    )
    probe: float = setting(
        0.01, "ξ, length a value of the step that looks for it", flag="", above=0
    )
    share: float = setting(0.25, "part of a batch that is labelled", flag="", above=0, below=1)


class VirtualAdversarial(StudentMixin, Learner):  # type: ignore[override]
    """Wraps a fine-tuning: labelled and unlabelled samples in one batch, `UNLABELLED` in `y`.

    While the head alone is trained (`--mode staged`) only the labels teach.
    """

    Config: ClassVar[type[Settings]] = VirtualAdversarialConfig
    usual_batch = 256

    def __init__(self, config: VirtualAdversarialConfig, student: Supervised, spec: Spec) -> None:
        """Raises:
        UserError: samples are not continuous, or the encoder does not learn.
        """
        super().__init__()
        if spec.kind != "continuous":
            raise UserError(
                f"--unlabelled vat changes values by little; these samples are {spec.kind}.",
                "Use --unlabelled self-train.",
            )
        if student.mode == "frozen":
            raise UserError(
                "--unlabelled vat trains the encoder, which --mode frozen does not.",
                "Use --mode staged or full.",
            )
        self.config, self.spec = config, spec
        self.student = student
        self.augment = student.augment

    def trivial_loss(self, batch: Batch) -> float | None:  # noqa: ARG002 - most labels are missing
        """Nothing to compare with."""
        return None

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player
        """The labels' loss, and how far answers change at most within the radius."""
        assert batch.y is not None
        student, task = self.student, self.student.task
        learns = student.stage(progress)
        outputs = student.outputs(batch, encoder_learns=learns)  # [B, K]
        known = labelled(batch.y)
        labels = known_loss(task, outputs, batch.y, known)
        smoothness = torch.zeros_like(labels)
        if learns and torch.is_grad_enabled():
            fixed = outputs.detach()
            with resting_statistics(self):
                change = worst_change(
                    lambda x: task.divergence(fixed, student.outputs(Batch(x))),
                    batch.x,
                    self.config,
                    inside(batch.x, self.spec),
                )
                away = student.outputs(Batch(batch.x + change))
            smoothness = task.divergence(fixed, away).mean()
        return Step.sum(len(batch), labels=labels, smoothness=self.config.weight * smoothness)


def labelled(y: Tensor) -> Tensor:
    """Which of `y` `[B, ...]` are labels: classes numbered from 0, or numbers that are not NaN."""
    first = y.reshape(len(y), -1)[:, 0]
    known: Tensor = ~first.isnan() if y.is_floating_point() else first >= 0
    return known


def worst_change(
    distance: Callable[[Tensor], Tensor],
    x: Tensor,
    config: VirtualAdversarialConfig,
    there: Tensor | None = None,
) -> Tensor:
    """The change of `x` `[B, ...]`, of length radius · √values, that changes answers most.

    distance: of answers at its argument from those at `x`, `[B]`. there: which values lie before a
    sample's end; others stay as they are, or the sample would be longer.
    """
    size = math.sqrt(x[0].numel())
    weight = torch.ones((), device=x.device) if there is None else there.to(x.dtype)
    direction = unit(collectives.randn_like(x) * weight)
    for _ in range(config.rounds):
        step = (config.probe * size * direction).requires_grad_()
        (slope,) = torch.autograd.grad(distance(x + step).sum(), step)
        direction = unit(slope * weight)
    return config.radius * size * direction


def unit(d: Tensor) -> Tensor:
    """Each of `[B, ...]` at length 1; 0 stays 0."""
    flat: Tensor = d.flatten(1)
    scaled: Tensor = flat / flat.norm(dim=1, keepdim=True).clamp(min=1e-20)
    return scaled.reshape(d.shape)


@contextmanager
def resting_statistics(module: nn.Module) -> Iterator[None]:
    """Within, batch normalisations use a batch's own statistics and do not remember them."""
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
