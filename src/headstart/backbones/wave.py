"""Convolutions over the wave itself, as in wav2vec (Schneider et al., 2019, arXiv:1904.05862).

Each layer looks at a few of the layer before and strides over them, until a token stands for some
ten milliseconds; blocks of wide convolutions then let tokens hear what is around them.
"""

from __future__ import annotations

from math import prod
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import activation
from headstart.backbones.framed import Context, Framed
from headstart.backbones.windows import Windows, windows
from headstart.errors import UserError
from headstart.settings import Settings, setting
from headstart.types import Batch, Spec


class WaveConfig(Settings):
    """Its widths, and how far it strides."""

    widths: tuple[int, ...] = setting((32, 64, 96, 128), "channels of each layer", least=1)
    strides: tuple[int, ...] = setting(
        (5, 4, 4, 2), "samples a layer strides over", flag="", least=1
    )
    context: int = setting(2, "blocks of convolutions along time", flag="", least=0)
    reach: int = setting(9, "tokens that such a convolution looks at", flag="", least=1)
    activation: str = setting("gelu", "between layers, by name", flag="activation")


class Wave(Framed):
    """Waves → a token every few milliseconds, and their mean and maximum."""

    Config: ClassVar[type[Settings]] = WaveConfig
    dimensions: ClassVar[int | None] = 2

    def __init__(self, config: WaveConfig, spec: Spec) -> None:
        nn.Module.__init__(self)
        if len(spec.shape) != 2 or spec.shape[0] != 1:
            raise UserError(
                f"backbone 'wave' needs waves; these samples have shape {list(spec.shape)}.",
                "Add --set modality.features=wave to recordings.",
            )
        if len(config.widths) != len(config.strides):
            raise UserError(
                f"settings 'backbone.widths' and 'backbone.strides' name {len(config.widths)} and"
                f" {len(config.strides)} layers."
            )
        self.spec = spec
        self.stride = prod(config.strides)
        self.convs = nn.ModuleList(
            Layer(narrow, wide, stride, config.activation)
            for narrow, wide, stride in zip(
                (1, *config.widths), config.widths, config.strides, strict=False
            )
        )
        self.token_dim, self.dim = config.widths[-1], 2 * config.widths[-1]
        self.context = nn.ModuleList(
            Context(self.token_dim, config.reach, config.activation) for _ in range(config.context)
        )

    def local(self, batch: Batch) -> tuple[Tensor, Windows]:
        """`[B, 1, W·L]` → `[P, t, D]`."""
        parts = windows(batch.x, self.spec)
        h = F.pad(parts.x, (0, -parts.x.shape[-1] % self.stride))
        for conv in self.convs:
            h = conv(h)  # [P, K, n]
        return h.transpose(1, 2), parts

    def surrounded(self, h: Tensor) -> Tensor:
        """`[P, t, D]` → the same."""
        for block in self.context:
            h = block(h)
        return h

    def layers(self) -> list[nn.Module]:
        """Each layer, then each block along time."""
        return [*self.convs, *self.context]


class Layer(nn.Module):
    """A strided convolution that gives exactly a number a stride, normalised over each frame."""

    def __init__(self, narrow: int, wide: int, stride: int, name: str) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv1d(narrow, wide, 2 * stride, stride)
        self.norm = nn.LayerNorm(wide)
        self.act = activation(name)

    def forward(self, h: Tensor) -> Tensor:
        """`[P, narrow, n·stride]` → `[P, wide, n]`."""
        left = self.stride // 2
        h = self.conv(F.pad(h, (left, self.stride - left)))
        return self.act(self.norm(h.transpose(1, 2)).transpose(1, 2))  # type: ignore[no-any-return]
