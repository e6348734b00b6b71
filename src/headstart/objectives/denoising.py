"""The denoising autoencoder (Vincent et al., 2008, doi:10.1145/1390156.1390294).

The sample is spoilt, and the clean one asked back: what cannot be read off the input any more
must be known. Besides noise and masking, the sample may be moved and turned (`augment`); giving
it back in place teaches the encoder which changes do not matter.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart import collectives
from headstart.backbones.base import Backbone
from headstart.backbones.windows import inside
from headstart.modalities.augment.swap import swapped
from headstart.objectives.autoencoder import code_layer
from headstart.parts.columns import as_samples, blind_loss, likeness
from headstart.parts.decoders import Output, decoder_for
from headstart.parts.learner import Learner
from headstart.parts.measured import counted
from headstart.settings import Settings, setting
from headstart.types import Batch, SampleKind, Spec, Step


class DenoisingConfig(Settings):
    """How samples are spoilt, and the code between."""

    noise: float = setting(
        0.3, "deviation of added normal noise, in the samples' own", flag="", least=0
    )
    mask: float = setting(
        0.3,
        "share of values put to the mean, in blocks for pictures; in tables, to another row's",
        flag="",
        least=0,
        below=1,
    )
    block: int | None = setting(
        None,
        "side of a masked block in pixels; by default an eighth of the picture's",
        flag="",
        least=1,
    )
    augment: bool = setting(True, "also move and turn the spoilt sample", flag="")
    code: int | None = setting(
        None, "width of the code; by default an MLP's last layer, else 64 units", flag="", least=1
    )
    output: Output = setting("auto", "sigmoid for bounded values, else linear", flag="")


class Denoising(Learner):
    """Spoilt sample → code → clean sample."""

    Config: ClassVar[type[Settings]] = DenoisingConfig
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"continuous", "mixed"})

    def __init__(self, config: DenoisingConfig, encoder: Backbone, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.spec = spec
        self.augment = self.clean = config.augment
        self.squeeze, width = code_layer(config.code, encoder)
        self.decoder = decoder_for(encoder, width, spec, config.output)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """Mean squared error against the clean `[B, ...]`."""
        spoilt = self.spoil(batch.x)
        code = self.squeeze(self.encoder(Batch(spoilt)).pooled)  # [B, K]
        error = likeness(self.decoder(code), batch.target, self.spec)
        weight = counted(batch.target, flagged=self.spec.flagged)
        return Step.sum(weight, reconstruction=error)

    def spoil(self, x: Tensor) -> Tensor:
        """`[B, ...]` with blocks masked and noise added; of mixed samples, values swapped.

        What comes after a sample's end stays empty: noise there would be a part of the sample.
        """
        if self.spec.kind == "mixed":
            return swapped(x, self.config.mask)[0]
        clean = x
        if self.config.mask:
            x = x * keep(x, self.config.mask, self.config.block or max(1, x.shape[-1] // 8))
        noise = self.config.noise * collectives.randn_like(x)
        if self.spec.flagged:  # what was measured is no matter of degree
            noise[:, x.shape[1] // 2 :] = 0
        there = inside(clean, self.spec)
        return x + noise if there is None else torch.where(there, x + noise, clean)

    def trivial_loss(self, batch: Batch) -> float:
        """The mean sample's error."""
        return blind_loss(batch.target, self.spec)

    def reconstruct(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The spoilt sample and what was made of it."""
        spoilt = self.spoil(batch.x)
        back = self.decoder(self.squeeze(self.encoder(Batch(spoilt)).pooled))
        return spoilt, as_samples(back, self.spec)


def keep(x: Tensor, share: float, block: int) -> Tensor:
    """A mask of ones with about `share` of zeros, in blocks of `[B, C, H, W]` and `[B, C, T]`."""
    if x.ndim == 3:
        return keep(x[:, :, None], share, block)[:, :, 0]
    if x.ndim != 4:
        return (collectives.rand_like(x) >= share).to(x.dtype)
    b, _, height, width = x.shape
    coarse = collectives.rand_like(x.new_empty(b, 1, -(-height // block), -(-width // block)))
    fine = F.interpolate((coarse >= share).to(x.dtype), scale_factor=block, mode="nearest")
    return fine[:, :, :height, :width]
