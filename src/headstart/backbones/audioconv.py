"""A small residual convolutional network for log-mel maps, with a token every few frames.

Stages of convolutions halve pitch and, the first of them, time; the very first is one convolution
with a stride, for at full resolution memory would cost more than arithmetic. What is left of the
pitch axis becomes channels, and blocks of wide convolutions along time let each token hear what is
around it. In training, short recordings share rows (`packing.py`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import activation, initialise
from headstart.backbones.framed import Context, Framed
from headstart.backbones.packing import Rows, packed, padded
from headstart.backbones.windows import Windows, windows
from headstart.errors import UserError
from headstart.settings import Settings, setting
from headstart.types import Batch, Spec

COLOURED = 1  # stages whose statistics tell the voice and the microphone
GRID = 8  # columns: batches of recordings are cut to whole multiples


class AudioConvConfig(Settings):
    """Its widths."""

    widths: tuple[int, ...] = setting(
        (16, 32, 64), "channels of the stem and of each stage", least=1
    )
    halve_time: int = setting(
        2, "stages, from the first, that halve time as well as pitch", flag="", least=0
    )
    dim: int = setting(128, "width of a token", flag="", least=1)
    context: int = setting(1, "blocks of convolutions along time", flag="", least=0)
    reach: int = setting(7, "tokens that such a convolution looks at", flag="", least=1)
    activation: str = setting("silu", "between layers, by name", flag="activation")
    dropout: float = setting(0.0, "share of channels dropped before each halving", least=0, below=1)
    mixstyle: float = setting(
        0.0,
        "share of batches whose recordings borrow one another's colour (MixStyle)",
        flag="",
        least=0,
        most=1,
    )


class AudioConv(Framed):
    """Log-mel maps → a token every few frames, and their mean and maximum."""

    Config: ClassVar[type[Settings]] = AudioConvConfig
    dimensions: ClassVar[int | None] = 3

    def __init__(self, config: AudioConvConfig, spec: Spec) -> None:
        nn.Module.__init__(self)
        if not spec.is_image or spec.shape[0] != 1:
            raise UserError(
                f"backbone 'audioconv' needs maps of pitch and time; these samples have shape"
                f" {list(spec.shape)}.",
                "Use --backbone conv for pictures, wave for the waves themselves.",
            )
        self.config, self.spec = config, spec
        name = config.activation
        self.stride = 2 ** min(config.halve_time, len(config.widths))
        self.grid = max(GRID, self.stride)
        self.empty = 0.0 if spec.empty is None else spec.empty
        # Maps are largest at first: there one convolution must do.
        by = (2, 2 if config.halve_time else 1)
        self.stem = _convolution(1, config.widths[0], name, 5, by)
        self.stages = nn.ModuleList(
            Stage(narrow, wide, i < config.halve_time, config)
            for i, (narrow, wide) in enumerate(pairwise(config.widths), 1)
        )
        height = spec.shape[1]
        for _ in config.widths:
            height = -(-height // 2)
        self.flat = nn.Sequential(
            nn.Linear(height * config.widths[-1], config.dim, bias=False), nn.LayerNorm(config.dim)
        )
        self.context = nn.ModuleList(
            Context(config.dim, config.reach, name) for _ in range(config.context)
        )
        self.token_dim, self.dim = config.dim, 2 * config.dim
        initialise(self, name)
        for stage in self.stages:
            # A residual branch that starts at nothing leaves the signal as it is.
            nn.init.zeros_(stage.last[1].weight)  # type: ignore[union-attr, index]
        for block in self.context:
            nn.init.zeros_(block.last.weight)  # type: ignore[union-attr, arg-type]

    def local(self, batch: Batch) -> tuple[Tensor, Windows]:
        """`[B, 1, M, W·T]` → `[P, t, D]`."""
        # Only in training: an answer must not hang on what else is in its batch.
        parts = windows(batch.x, self.spec, multiple=GRID if self.training else 0)
        alone = not self.training or self.config.mixstyle > 0 or parts.shape[1] > 1
        rows = padded(parts.x, self.empty, self.grid) if alone else self._packed(parts)
        h = self.stem(rows.x.contiguous(memory_format=torch.channels_last))
        for i, stage in enumerate(self.stages):
            h = stage(h)  # [R, K, m, t]
            if self.training and self.config.mixstyle and i < COLOURED:
                sounds = (rows.x != self.empty).any(dim=2).float()  # [R, 1, L]
                there = F.adaptive_max_pool1d(sounds, h.shape[3])[:, :, None]
                h = mixed_styles(h, there, self.config.mixstyle)
        tokens = self.flat(h.flatten(1, 2).transpose(1, 2))
        return rows.unpacked(tokens, self.stride), parts

    def _packed(self, parts: Windows) -> Rows:
        """Not where styles are lent: they are whole rows'."""
        return packed(parts.x, parts.ends, self.empty, self.grid)

    def surrounded(self, h: Tensor) -> Tensor:
        """`[P, t, D]` → the same."""
        for block in self.context:
            h = block(h)
        return h

    def layers(self) -> list[nn.Module]:
        """The stem, each stage, what flattens pitch, each block along time."""
        return [self.stem, *self.stages, self.flat, *self.context]


class Stage(nn.Module):
    """Halve pitch (and time), change the channels, then one residual pair of convolutions."""

    def __init__(self, narrow: int, wide: int, halve_time: bool, config: AudioConvConfig) -> None:
        super().__init__()
        by = (2, 2 if halve_time else 1)
        self.pool = nn.MaxPool2d(by, ceil_mode=True)
        self.dropout = nn.Dropout2d(config.dropout)
        self.change = _convolution(narrow, wide, config.activation)
        self.first = _convolution(wide, wide, config.activation)
        self.last = nn.Sequential(
            nn.Conv2d(wide, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide)
        )
        self.act = activation(config.activation)

    def forward(self, h: Tensor) -> Tensor:
        """`[P, narrow, m, t]` → `[P, wide, ⌈m/2⌉, t or ⌈t/2⌉]`."""
        h = self.change(self.dropout(self.pool(h)))
        return self.act(h + self.last(self.first(h)))  # type: ignore[no-any-return]


def mixed_styles(h: Tensor, there: Tensor, share: float) -> Tensor:
    """Features whose means and deviations over time are partly another recording's.

    MixStyle (Zhou et al., 2021, arXiv:2104.02008), with statistics of each channel in each band of
    pitch, since what colours a sound does so band by band. h: `[P, K, m, t]`; there: 1 where a
    recording sounds, `[P, 1, 1, t]`, 0 behind its end; proportions follow Beta(0.1, 0.1).
    """
    if float(torch.rand(())) >= share or len(h) < 2:
        return h
    weight = there / there.sum(dim=3, keepdim=True).clamp(min=1)
    mean = (h * weight).sum(dim=3, keepdim=True).detach()
    variance = ((h - mean).square() * weight).sum(dim=3, keepdim=True)
    std = (variance + 1e-5).sqrt().detach()
    own = torch.distributions.Beta(0.1, 0.1).sample((len(h), 1, 1, 1)).to(h)
    other = torch.randperm(len(h)).to(h.device)
    plain = (h - mean) / std
    return plain * torch.lerp(std[other], std, own) + torch.lerp(mean[other], mean, own)


def _convolution(
    narrow: int, wide: int, name: str, side: int = 3, stride: tuple[int, int] = (1, 1)
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(narrow, wide, side, stride, padding=side // 2, bias=False),
        nn.BatchNorm2d(wide),
        activation(name),
    )
