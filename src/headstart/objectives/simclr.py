"""SimCLR: a simple framework for contrastive learning (Chen et al., 2020, arXiv:2002.05709).

Of all views in the batch, a view must pick out the other view of its own sample by the cosine of
their projections. The others push apart what differs, so many of them help: a batch of 256 or
more, or a memory of past projections (`memory`), as in MoCo (arXiv:1911.05722) but, like XBM
(arXiv:1912.06798), without a second network: projections of the last few steps are hardly stale.
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


class SimCLRConfig(Settings):
    """The projector, and how sharply views are told apart."""

    temperature: float = setting(
        0.2, "of the similarities; lower minds the nearest more", flag="", above=0
    )
    projector: tuple[int, ...] = setting(
        (256, 64), "widths of the projector's layers", flag="", least=1
    )
    memory: int = setting(
        0, "past projections that are pushed away as well; for small batches", flag="", least=0
    )


class SimCLR(Learner):
    """Two views of a sample find each other among all."""

    Config: ClassVar[type[Settings]] = SimCLRConfig
    reads = ANY_KIND
    views = 2
    usual_batch = 256
    usual_lr = 3e-3

    past: Tensor  # [Q, P] unit vectors, a ring
    filled: Tensor  # how many projections have ever been put into it

    def __init__(self, config: SimCLRConfig, encoder: Backbone, spec: Spec) -> None:  # noqa: ARG002 - compares features, whatever the input
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.projector = projector(encoder.dim, config.projector)
        self.register_buffer("past", torch.zeros(config.memory, config.projector[-1]))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))
        self._fresh: Tensor | None = None

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """NT-Xent over the global batch `[2·N, P]`."""
        z1, z2 = gathered(self.project(batch), batch.views)  # [N, P] each
        memory = None
        if self.config.memory:
            memory = self.past, torch.arange(len(self.past), device=z1.device) < self.filled
            self._fresh = z2.detach() if self.training else None
        step = Step.sum(len(z1), contrast=nt_xent(z1, z2, self.config.temperature, memory))
        step.logs["spread"] = direction_std(z1)
        return step

    def project(self, batch: Batch) -> Tensor:
        """`[B, P]`."""
        return self.projector(self.encoder(batch).pooled)  # type: ignore[no-any-return]

    def after_step(self, progress: float) -> None:  # noqa: ARG002 - the same throughout
        """Remember the step's projections in place of the oldest."""
        if self._fresh is None:
            return
        z = F.normalize(self._fresh[-len(self.past) :], dim=1)
        place = (self.filled + torch.arange(len(z), device=z.device)) % len(self.past)
        self.past[place] = z
        self.filled += len(z)
        self._fresh = None


def nt_xent(
    z1: Tensor, z2: Tensor, temperature: float, memory: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Normalised, temperature-scaled cross-entropy (eq. 1), averaged over all 2·N views.

    −log( exp(s_ij / τ) / Σ_{k ≠ i} exp(s_ik / τ) ), s the cosine, j the other view of i's sample.

    z1, z2: `[N, P]`. memory: unit vectors `[Q, P]` that count among the k, and which of them are
    there yet `[Q]`.
    """
    n = len(z1)
    z = F.normalize(torch.cat([z1, z2]), dim=1)  # [2N, P]
    logits = z @ z.T / temperature  # [2N, 2N]
    itself = torch.eye(2 * n, dtype=torch.bool, device=z.device)
    logits = logits.masked_fill(itself, -torch.inf)
    if memory is not None:
        past, there = memory
        logits = torch.cat(
            [logits, (z @ past.T / temperature).masked_fill(~there, -torch.inf)], dim=1
        )  # [2N, 2N + Q]
    other = torch.arange(2 * n, device=z.device).roll(n)  # i + N for the first half, i − N after
    return F.cross_entropy(logits, other)
