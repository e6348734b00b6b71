"""The autoencoder (Hinton and Salakhutdinov, 2006, doi:10.1126/science.1127647).

An encoder squeezes a sample into a short code, a decoder gives the sample back; what survives
the squeeze is what the samples have in common. By default the sample is shown moved and turned,
and asked back as it was (`augment`): the code then need not say how it lay, and spends itself on
what it is. With few labels that is most of what pre-training can give (benchmarks/RESULTS.md).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.parts.columns import as_samples, blind_loss, likeness
from headstart.parts.decoders import Output, decoder_for
from headstart.parts.learner import Learner
from headstart.parts.measured import blind_error, counted
from headstart.settings import Settings, setting
from headstart.types import Batch, SampleKind, Spec, Step


class AutoencoderConfig(Settings):
    """The code and what comes out."""

    code: int | None = setting(
        None, "width of the code; by default an MLP's last layer, else 64 units", flag="", least=1
    )
    output: Output = setting(
        "auto", "sigmoid for bounded values, else linear; relu as in the article", flag=""
    )
    augment: bool = setting(
        True, "show samples moved and turned, and ask for them as they were", flag=""
    )


class Autoencoder(Learner):
    """Sample → code → sample, compared with itself."""

    Config: ClassVar[type[Settings]] = AutoencoderConfig
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"continuous", "mixed"})

    def __init__(self, config: AutoencoderConfig, encoder: Backbone, spec: Spec) -> None:
        super().__init__()
        self.encoder = encoder
        self.spec = spec
        self.augment = self.clean = config.augment
        self.squeeze, width = code_layer(config.code, encoder)
        self.decoder = decoder_for(encoder, width, spec, config.output)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """Mean squared error over all values of `[B, ...]`."""
        code = self.squeeze(self.encoder(batch).pooled)  # [B, K]
        error = likeness(self.decoder(code), batch.target, self.spec)
        weight = counted(batch.target, flagged=self.spec.flagged)
        return Step.sum(weight, reconstruction=error)

    def trivial_loss(self, batch: Batch) -> float:
        """The mean sample's error: the variance of each value, averaged."""
        return blind_loss(batch.target, self.spec)

    def reconstruct(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What went in and what came out."""
        back = self.decoder(self.squeeze(self.encoder(batch).pooled))
        return batch.x, as_samples(back, self.spec)


def code_layer(width: int | None, encoder: Backbone) -> tuple[nn.Module, int]:
    """A linear bottleneck after the encoder, or nothing where its own last layer is narrow."""
    if width is None:
        width = encoder.dim if encoder.token_dim == 0 else 64
    if width == encoder.dim:
        return nn.Identity(), width
    layer = nn.Linear(encoder.dim, width)
    nn.init.normal_(layer.weight, std=encoder.dim**-0.5)
    nn.init.zeros_(layer.bias)
    return layer, width


def mean_sample_loss(x: Tensor, *, flagged: bool = False) -> float:
    """Mean squared error of answering the batch's mean sample: `[B, ...]` → a number.

    flagged: see `Spec`; the mean and the error are then over what was measured.
    """
    if flagged:
        return blind_error(x)
    return float(torch.var(x, dim=0, correction=0).mean())
