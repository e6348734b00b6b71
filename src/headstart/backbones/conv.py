"""A small residual convolutional network for pictures of 8 to 96 pixels, fast on a CPU.

A plain convolution keeps full resolution only while there are few channels; each stage halves
the side, doubles the channels and adds one residual pair of 3×3 convolutions.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import Backbone, activation, initialise
from headstart.backbones.stochastic_depth import shares, skip_branch
from headstart.errors import UserError
from headstart.settings import Settings, setting
from headstart.types import Batch, Features, Spec


class ConvConfig(Settings):
    """Channels of each stage."""

    widths: tuple[int, ...] = setting(
        (16, 32, 64), "channels of each stage, the side halves", least=1
    )
    activation: str = setting("silu", "between layers, by name", flag="activation")
    dropout: float = setting(0.0, "share of channels dropped before each halving", least=0, below=1)
    stochastic_depth: float = setting(
        0.0,
        "share of samples that skip the deepest residual branch; less before it",
        flag="",
        least=0,
        below=1,
    )


class Conv(Backbone):
    """Pictures → a grid of tokens and their mean and maximum."""

    Config: ClassVar[type[Settings]] = ConvConfig
    dimensions: ClassVar[int | None] = 3

    def __init__(self, config: ConvConfig, spec: Spec) -> None:
        nn.Module.__init__(self)
        if not spec.is_image:
            raise UserError(
                f"backbone 'conv' needs pictures; these samples have shape {list(spec.shape)}.",
                "Use --backbone mlp.",
            )
        self.config = config
        channels = spec.shape[0]
        self.stem = _convolution(channels, config.widths[0], config.activation)
        stages: list[nn.Module] = []
        skips = shares(config.stochastic_depth, len(config.widths))
        for narrow, wide, skip in zip(
            config.widths, (*config.widths[1:], config.widths[-1]), skips, strict=True
        ):
            stages.append(Stage(narrow, wide, skip, config))
        self.stages = nn.ModuleList(stages)
        self.token_dim = config.widths[-1]
        self.dim = 2 * config.widths[-1]
        side = [max(1, -(-s // 2 ** len(stages))) for s in spec.shape[1:]]
        self.grid: tuple[int, int] = (side[0], side[1])
        initialise(self, config.activation)
        for stage in self.stages:
            # A residual branch that starts at nothing leaves the signal as it is.
            nn.init.zeros_(stage.last[1].weight)  # type: ignore[union-attr, index]

    def forward(self, batch: Batch) -> Features:
        """`[B, C, H, W]` → pooled `[B, 2K]`, tokens `[B, h·w, K]`."""
        h = self.stem(batch.x.contiguous(memory_format=torch.channels_last))
        for stage in self.stages:
            h = stage(h)  # [B, K, h, w]
        pooled = torch.cat([h.mean(dim=(2, 3)), h.amax(dim=(2, 3))], dim=1)
        return Features(pooled=pooled, tokens=h.flatten(2).transpose(1, 2))

    def layers(self) -> list[nn.Module]:
        """The stem, then each stage."""
        return [self.stem, *self.stages]


class Stage(nn.Module):
    """Halve the side, change the channels, then one residual pair of convolutions."""

    def __init__(self, narrow: int, wide: int, skip: float, config: ConvConfig) -> None:
        super().__init__()
        self.skip = skip
        self.dropout = nn.Dropout2d(config.dropout)
        self.change = _convolution(narrow, wide, config.activation)
        self.first = _convolution(wide, wide, config.activation)
        self.last = nn.Sequential(
            nn.Conv2d(wide, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide)
        )
        self.act = activation(config.activation)

    def forward(self, h: Tensor) -> Tensor:
        """`[B, narrow, h, w]` → `[B, wide, ⌈h/2⌉, ⌈w/2⌉]`."""
        h = self.change(self.dropout(F.max_pool2d(h, 2, ceil_mode=True)))
        h = h + skip_branch(self.last(self.first(h)), self.skip, training=self.training)
        return self.act(h)  # type: ignore[no-any-return]


def _convolution(narrow: int, wide: int, activation_name: str) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(narrow, wide, 3, padding=1, bias=False),
        nn.BatchNorm2d(wide),
        activation(activation_name),
    )
