"""The variational autoencoder (Kingma and Welling, 2014, arXiv:1312.6114), β (Higgins, 2017).

The encoder gives a normal law over codes, a code is drawn from it, the decoder gives the sample
back; codes of all samples together should follow the standard normal law, so that a draw from
it decodes to a new sample. The decoder's variance is the one that fits best, in closed form
(Rybkin et al., 2021, arXiv:2006.13202), so the two terms balance on any data.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from headstart import collectives
from headstart.backbones.base import Backbone
from headstart.parts.columns import as_samples, blind_loss, likeness
from headstart.parts.decoders import Output, decoder_for
from headstart.parts.learner import Learner
from headstart.settings import Settings, setting
from headstart.types import Batch, SampleKind, Spec, Step


class VariationalConfig(Settings):
    """The code and the weight of its law."""

    code: int = setting(32, "width of the code", flag="", least=1)
    beta: float = setting(
        1.0, "weight of the codes' divergence from the normal law", flag="", least=0
    )
    output: Output = setting("auto", "sigmoid for bounded values, else linear", flag="")


class Variational(Learner):
    """Sample → law of the code → drawn code → sample."""

    Config: ClassVar[type[Settings]] = VariationalConfig
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"continuous", "mixed"})

    def __init__(self, config: VariationalConfig, encoder: Backbone, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.spec = spec
        self.law = nn.Linear(encoder.dim, 2 * config.code)
        nn.init.normal_(self.law.weight, std=0.1 * encoder.dim**-0.5)
        nn.init.zeros_(self.law.bias)
        self.decoder = decoder_for(encoder, config.code, spec, config.output)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """The negative evidence bound, in nats a value of the sample."""
        mean, log_var = self.law(self.encoder(batch).pooled).chunk(2, dim=1)  # [B, K] each
        code = mean + torch.exp(0.5 * log_var) * collectives.randn_like(mean)
        error = likeness(self.decoder(code), batch.x, self.spec)
        # Its logarithm is taken: of the mean over all processes, as one process would.
        error = collectives.sum_over_processes(error) / collectives.world_size()
        step = Step.sum(
            len(batch),
            likelihood=optimal_gaussian(error),
            divergence=self.config.beta * divergence(mean, log_var).mean() / self.spec.size,
        )
        step.logs["reconstruction"] = error.detach()
        return step

    def trivial_loss(self, batch: Batch) -> float:
        """The mean sample's error, to compare with the `reconstruction` figure."""
        return blind_loss(batch.x, self.spec)

    def reconstruct(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What went in, and the decoding of its most probable code."""
        mean, _ = self.law(self.encoder(batch).pooled).chunk(2, dim=1)
        return batch.x, as_samples(self.decoder(mean), self.spec)

    def sample(self, count: int) -> Tensor:
        """Decodings of draws from the standard normal law."""
        code = torch.randn(count, self.config.code, device=self.law.weight.device)
        return as_samples(self.decoder(code), self.spec)


def divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL of N(mean, var) from N(0, 1), summed over the code: `[B, K]` twice → `[B]` (eq. 10)."""
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(dim=1)


def optimal_gaussian(error: Tensor) -> Tensor:
    """Negative log likelihood a value under the best variance: ½ log MSE, constants left out."""
    return 0.5 * torch.log(error + 1e-6)
