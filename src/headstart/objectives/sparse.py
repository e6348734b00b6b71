"""The k-sparse autoencoder (Makhzani and Frey, 2014, arXiv:1312.5663).

The code is wide, but only its k largest units may speak for a sample; the others are silenced.
Each unit then has to stand for something that some samples have and others have not. Units are
rectified first, as in Gao et al. (2024, arXiv:2406.04093): what is absent is not negative.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.errors import UserError
from headstart.objectives.autoencoder import mean_sample_loss
from headstart.parts.decoders import Output, decoder_for
from headstart.parts.learner import Learner
from headstart.parts.measured import counted, squared_error
from headstart.settings import Settings, setting
from headstart.types import Batch, Spec, Step


class SparseConfig(Settings):
    """The code and how much of it may be used at once."""

    code: int = setting(256, "units of the code", flag="", least=1)
    active: int = setting(16, "units that may be active for one sample", flag="", least=1)
    output: Output = setting("auto", "sigmoid for bounded values, else linear", flag="")
    augment: bool = setting(
        True, "show samples moved and turned, and ask for them as they were", flag=""
    )


class Sparse(Learner):
    """Sample → a few active units of many → sample."""

    Config: ClassVar[type[Settings]] = SparseConfig

    def __init__(self, config: SparseConfig, encoder: Backbone, spec: Spec) -> None:
        super().__init__()
        if not 1 <= config.active <= config.code:
            raise UserError(
                f"setting 'objective.active' is {config.active}; a code of {config.code} units"
                f" can have 1 to {config.code} active."
            )
        self.active = config.active
        self.encoder = encoder
        self.augment = self.clean = config.augment
        self.units = nn.Linear(encoder.dim, config.code)
        nn.init.normal_(self.units.weight, std=encoder.dim**-0.5)
        nn.init.zeros_(self.units.bias)
        self.decoder = decoder_for(encoder, config.code, spec, config.output)
        self.flagged = spec.flagged

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """Mean squared error over all values; `used` is the share of units any sample needs."""
        code = self._code(batch)
        error = squared_error(self.decoder(code), batch.target, flagged=self.flagged)
        weight = counted(batch.target, flagged=self.flagged)
        step = Step.sum(weight, reconstruction=error)
        step.logs["used"] = (code.detach() > 0).any(dim=0).float().mean()
        return step

    def trivial_loss(self, batch: Batch) -> float:
        """The mean sample's error."""
        return mean_sample_loss(batch.target, flagged=self.flagged)

    def reconstruct(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What went in and what came out."""
        return batch.x, self.decoder(self._code(batch))

    def _code(self, batch: Batch) -> Tensor:
        return largest(self.units(self.encoder(batch).pooled), self.active)  # [B, K]


def largest(h: Tensor, k: int) -> Tensor:
    """Keep the k largest units of each row of `[B, K]` where they are positive; the rest are 0."""
    values, index = h.relu().topk(k, dim=1)
    return torch.zeros_like(h).scatter(1, index, values)
