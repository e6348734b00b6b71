"""Inpainting (Pathak et al., 2016, arXiv:1604.07379), masked as in SimMIM (2022, arXiv:2111.09886).

Blocks of a sample are replaced by a learned value, and only what was hidden is asked back. It
does for any backbone what the masked autoencoder does for transformers: unlike in denoising,
copying what can be seen earns nothing.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart import collectives
from headstart.backbones.base import Backbone
from headstart.backbones.windows import inside
from headstart.objectives.autoencoder import code_layer, mean_sample_loss
from headstart.parts.decoders import Output, decoder_for
from headstart.parts.learner import Learner
from headstart.parts.measured import weights
from headstart.settings import Settings, setting
from headstart.types import Batch, Spec, Step


class InpaintingConfig(Settings):
    """What is hidden, and the code between."""

    ratio: float = setting(0.6, "share of blocks that are hidden", flag="", above=0, below=1)
    block: int | None = setting(
        None, "side of a block in pixels; by default an eighth of the picture's", flag="", least=1
    )
    code: int | None = setting(
        None, "width of the code; by default an MLP's last layer, else 64 units", flag="", least=1
    )
    output: Output = setting("auto", "sigmoid for bounded values, else linear", flag="")
    augment: bool = setting(True, "learn from moved and turned samples", flag="")


class Inpainting(Learner):
    """Sample with holes → code → what was in the holes."""

    Config: ClassVar[type[Settings]] = InpaintingConfig

    def __init__(self, config: InpaintingConfig, encoder: Backbone, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.augment = config.augment
        self.fill = nn.Parameter(
            torch.zeros(spec.shape[0] if spec.is_image or spec.is_series else 1)
        )
        self.squeeze, width = code_layer(config.code, encoder)
        self.spec, self.flagged = spec, spec.flagged
        self.decoder = decoder_for(encoder, width, spec, config.output)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """Mean squared error over the hidden values."""
        hidden = self._hidden(batch.x)
        counted = hidden * weights(batch.x) if self.flagged else hidden
        loss = loss_in_holes(self._complete(batch.x, hidden), batch.x, counted)
        weight = max(1, int(counted.expand_as(batch.x).sum()))
        return Step.sum(weight, reconstruction=loss)

    def trivial_loss(self, batch: Batch) -> float:
        """The mean sample's error."""
        return mean_sample_loss(batch.x, flagged=self.flagged)

    def reconstruct(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The sample with holes, and with the holes filled."""
        hidden = self._hidden(batch.x)
        completed = torch.where(hidden, self._complete(batch.x, hidden), batch.x)
        return torch.where(hidden, 0.0, batch.x), completed

    def _hidden(self, x: Tensor) -> Tensor:
        """Nothing is hidden after a sample's end: what fills a hole would be a part of it."""
        hidden = holes(x, self.config.ratio, self.config.block or max(1, x.shape[-1] // 8))
        there = inside(x, self.spec)
        return hidden if there is None else hidden & there

    def _complete(self, x: Tensor, hidden: Tensor) -> Tensor:
        fill = self.fill.view(-1, *[1] * (x.ndim - 2))  # one value a channel
        features = self.encoder(Batch(torch.where(hidden, fill, x)))
        return self.decoder(self.squeeze(features.pooled))  # type: ignore[no-any-return]


def holes(x: Tensor, ratio: float, block: int) -> Tensor:
    """Which values of each sample are hidden: exactly `round(ratio · cells)` cells, at least one.

    A cell is a block of a picture `[B, C, H, W]` or a series `[B, C, T]`, all channels of it, or
    one value of `[B, ...]`.
    Returns booleans that broadcast against `x`.
    """
    if x.ndim == 3:
        return holes(x[:, :, None], ratio, block)[:, :, 0]
    if x.ndim != 4:
        return _chosen(x.new_empty(len(x), x[0].numel()), ratio).view(x.shape)
    b, _, height, width = x.shape
    rows, columns = -(-height // block), -(-width // block)
    coarse = _chosen(x.new_empty(b, rows * columns), ratio).view(b, 1, rows, columns)
    fine = coarse.repeat_interleave(block, dim=2).repeat_interleave(block, dim=3)
    return fine[:, :, :height, :width]


def _chosen(like: Tensor, ratio: float) -> Tensor:
    """Of the cells of each sample, `[B, cells]` as `like`, those that are hidden."""
    rank = collectives.rand_like(like).argsort(dim=1).argsort(dim=1)
    return rank < max(1, round(ratio * like.shape[1]))


def loss_in_holes(guess: Tensor, target: Tensor, hidden: Tensor) -> Tensor:
    """Mean squared error of `[B, ...]` over the hidden values, or weighted by numbers."""
    error = F.mse_loss(guess, target, reduction="none")
    hidden = hidden.expand_as(error)
    return (error * hidden).sum() / hidden.sum().clamp(min=1)
