"""Residual networks (He et al., 2016, arXiv:1512.03385): ResNet-18, -34 and -50.

Every block adds a correction to what it was given. Pictures of at most 64 pixels keep their
resolution in the first layer; larger ones are reduced fourfold before the first block.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import Backbone, initialise
from headstart.errors import UserError
from headstart.settings import Settings, setting
from headstart.types import Batch, Features, Spec

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}  # residual blocks a stage
SMALL = 64  # pixels a side, up to which no resolution is given away at the input


class ResNetConfig(Settings):
    """Depth and width."""

    depth: Literal[18, 34, 50] = setting(18, "layers: 18, 34 or 50", flag="")
    width: int | None = setting(
        None,
        "channels of the first stage; by default the paper's 64, 32 for small pictures",
        least=1,
    )


class ResNet(Backbone):
    """Pictures → a grid of tokens and their mean."""

    Config: ClassVar[type[Settings]] = ResNetConfig
    dimensions: ClassVar[int | None] = 3

    def __init__(self, config: ResNetConfig, spec: Spec) -> None:
        nn.Module.__init__(self)
        if not spec.is_image:
            raise UserError(
                f"backbone 'resnet' needs pictures; these samples have shape {list(spec.shape)}.",
                "Use --backbone mlp.",
            )
        small = max(spec.shape[1:]) <= SMALL
        width = config.width or (32 if small else 64)
        block = Bottleneck if config.depth >= 50 else Basic
        self.stem = _stem(spec.shape[0], width, small=small)
        stages = []
        channels = width
        for i, count in enumerate(BLOCKS[config.depth]):
            blocks = []
            for j in range(count):
                stride = 2 if i > 0 and j == 0 else 1
                blocks.append(block(channels, width * 2**i, stride))
                channels = width * 2**i * block.widening
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.dim = self.token_dim = channels
        initialise(self, "relu")
        for module in self.modules():
            if isinstance(module, Basic | Bottleneck):
                # A block that starts as the identity (arXiv:1706.02677, section 5.1).
                nn.init.zeros_(module.last.weight)

    def forward(self, batch: Batch) -> Features:
        """`[B, C, H, W]` → pooled `[B, K]`, tokens `[B, h·w, K]`."""
        h = self.stem(batch.x.contiguous(memory_format=torch.channels_last))
        for stage in self.stages:
            h = stage(h)  # [B, K, h, w]
        return Features(pooled=h.mean(dim=(2, 3)), tokens=h.flatten(2).transpose(1, 2))

    def layers(self) -> list[nn.Module]:
        """The stem, then each stage."""
        return [self.stem, *self.stages]


class Basic(nn.Module):
    """Two 3×3 convolutions; `last` is the norm that the sum waits for."""

    widening = 1

    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = _conv(narrow, wide, 3, stride), nn.BatchNorm2d(wide)
        self.conv2, self.last = _conv(wide, wide, 3), nn.BatchNorm2d(wide)
        self.shortcut = _shortcut(narrow, wide, stride)

    def forward(self, h: Tensor) -> Tensor:
        """`[B, narrow, h, w]` → `[B, wide, ⌈h/stride⌉, ⌈w/stride⌉]`."""
        change = F.relu(self.norm1(self.conv1(h)))
        return F.relu(self.shortcut(h) + self.last(self.conv2(change)))


class Bottleneck(nn.Module):
    """A 3×3 convolution between two of 1×1; the stride is the 3×3's, as everyone has it now."""

    widening = 4

    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        out = wide * self.widening
        self.conv1, self.norm1 = _conv(narrow, wide, 1), nn.BatchNorm2d(wide)
        self.conv2, self.norm2 = _conv(wide, wide, 3, stride), nn.BatchNorm2d(wide)
        self.conv3, self.last = _conv(wide, out, 1), nn.BatchNorm2d(out)
        self.shortcut = _shortcut(narrow, out, stride)

    def forward(self, h: Tensor) -> Tensor:
        """`[B, narrow, h, w]` → `[B, 4·wide, ⌈h/stride⌉, ⌈w/stride⌉]`."""
        change = F.relu(self.norm1(self.conv1(h)))
        change = F.relu(self.norm2(self.conv2(change)))
        return F.relu(self.shortcut(h) + self.last(self.conv3(change)))


def _stem(channels: int, width: int, *, small: bool) -> nn.Sequential:
    if small:
        first = _conv(channels, width, 3)
        return nn.Sequential(first, nn.BatchNorm2d(width), nn.ReLU())
    first = _conv(channels, width, 7, 2)
    pool = nn.MaxPool2d(3, stride=2, padding=1)
    return nn.Sequential(first, nn.BatchNorm2d(width), nn.ReLU(), pool)


def _shortcut(narrow: int, wide: int, stride: int) -> nn.Module:
    if stride == 1 and narrow == wide:
        return nn.Identity()
    return nn.Sequential(_conv(narrow, wide, 1, stride), nn.BatchNorm2d(wide))


def _conv(narrow: int, wide: int, side: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(narrow, wide, side, stride=stride, padding=side // 2, bias=False)
