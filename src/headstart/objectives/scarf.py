"""SCARF: contrastive learning by random feature corruption (Bahri et al., 2022, arXiv:2106.15147).

Each row must find its own spoilt copy, most of whose columns hold values of other rows, among the
spoilt copies of all rows of the batch (algorithm 1). The comparison goes one way, from rows to
copies. No augmentation need be known: the columns' own laws give it.

Three things differ from the paper's algorithm. Replacements are drawn from the batch, a fresh draw
of train each step, and not from all of train, which then need not be at hand. The loss leaves out
the constant −log N of line 8, so that it cannot fall below 0; gradients are the same. The head is
this package's projector, which normalises its hidden layer over the batch.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.backbones.base import Backbone
from headstart.errors import UserError
from headstart.modalities.augment.swap import corrupted
from headstart.parts.learner import Learner
from headstart.parts.projectors import projector
from headstart.parts.views import direction_std, gathered
from headstart.settings import Settings, setting
from headstart.types import Batch, SampleKind, Spec, Step


class SCARFConfig(Settings):
    """How much is replaced, and how sharply rows are told apart; as in the paper."""

    ratio: float = setting(
        0.6, "share of columns that are replaced, rounded down", flag="", above=0, below=1
    )
    temperature: float = setting(1.0, "of the similarities", flag="", above=0)
    projector: tuple[int, ...] = setting(
        (256, 256), "widths of the projector's layers", flag="", least=1
    )


class SCARF(Learner):
    """A row finds its spoilt copy."""

    Config: ClassVar[type[Settings]] = SCARFConfig
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"mixed"})
    usual_batch = 256
    compares = True

    def __init__(self, config: SCARFConfig, encoder: Backbone, spec: Spec) -> None:
        """Raises:
        UserError: of so many columns the ratio replaces none, or all.
        """
        super().__init__()
        self.replaced = int(config.ratio * spec.size + 1e-9)  # q: 0.7 · 10 is not below 7
        if not 0 < self.replaced < spec.size:
            raise UserError(
                f"setting 'objective.ratio' is {config.ratio:g}: of {spec.size} columns that"
                f" replaces {self.replaced}, and some must be replaced and some kept.",
                "Choose another ratio, or another --objective for tables of one column.",
            )
        self.config = config
        self.encoder = encoder
        self.projector = projector(encoder.dim, config.projector)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """InfoNCE over the global batch."""
        spoilt = corrupted(batch.x, self.replaced)
        pooled = self.encoder(Batch(torch.cat([batch.x, spoilt]))).pooled  # [2 · B, D]
        z, copies = gathered(self.projector(pooled), 2)  # [N, P] each
        step = Step.sum(len(z), contrast=info_nce(z, copies, self.config.temperature))
        step.logs["spread"] = direction_std(z)
        return step


def info_nce(z: Tensor, copies: Tensor, temperature: float) -> Tensor:
    """Mean over i of −log( exp(s_ii / τ) / Σ_k exp(s_ik / τ) ) (line 8, but for −log N).

    s_ik is the cosine of row i's projection and of row k's copy's (line 7): nothing is compared
    with another row, or with itself. z, copies: `[N, P]`.
    """
    similarity = F.normalize(z, dim=1) @ F.normalize(copies, dim=1).T  # [N, N]
    own = torch.arange(len(z), device=z.device)
    return F.cross_entropy(similarity / temperature, own)
