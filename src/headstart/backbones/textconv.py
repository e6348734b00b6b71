"""A light convolutional network for texts: a few tokens are looked at together, wider each layer.

Depthwise convolutions of growing dilation, each followed by a perceptron alone on every token
(ConvNeXt's block, Liu et al., 2022, arXiv:2201.03545, in one dimension; dilation as in ByteNet,
arXiv:1610.10099). No attention: the cost grows with the text's length and not with its square.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import check_odd
from headstart.backbones.tokenwise import Pool, Tokenwise
from headstart.settings import Settings, setting
from headstart.types import Spec

DILATIONS = (1, 2, 4)  # one layer after another, and again from the first


class TextConvConfig(Settings):
    """Its size, and how tokens become one vector."""

    width: int = setting(128, "of each token's vector", flag="", least=1)
    depth: int = setting(4, "layers", flag="", least=1)
    kernel: int = setting(5, "tokens that a layer looks at together; odd", flag="", least=1)
    pool: Pool = setting("mean", "mean, max, first or last token: the vector of the text", flag="")
    dropout: float = setting(0.1, "share of units dropped in training", flag="", least=0, below=1)


class TextConv(Tokenwise):
    """Tokens that look at their neighbours."""

    Config: ClassVar[type[Settings]] = TextConvConfig

    def __init__(self, config: TextConvConfig, spec: Spec) -> None:
        check_odd("kernel", config.kernel)
        self.begin(spec, config.width, config.pool)
        self.config = config
        self.norm_in = nn.LayerNorm(config.width)
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            ConvBlock(config, DILATIONS[i % len(DILATIONS)]) for i in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.width)

    def read(self, x: Tensor, there: Tensor) -> Tensor:
        """See `Tokenwise`."""
        seen = there[:, :, None]
        h = self.drop(self.norm_in(self.embedding(x))) * seen
        for block in self.blocks:
            h = block(h) * seen  # padding says nothing to its neighbours
        return self.norm(h)  # type: ignore[no-any-return]

    def layers(self) -> list[nn.Module]:
        """The embedding, then each block; the last norm is a layer of its own."""
        return [nn.ModuleList([self.embedding, self.norm_in]), *self.blocks, self.norm]


class ConvBlock(nn.Module):
    """A depthwise convolution and a perceptron, added to what comes in."""

    def __init__(self, config: TextConvConfig, dilation: int) -> None:
        super().__init__()
        width, reach = config.width, dilation * (config.kernel // 2)
        self.mix = nn.Conv1d(
            width, width, config.kernel, padding=reach, dilation=dilation, groups=width
        )
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        self.drop = nn.Dropout(config.dropout)
        nn.init.trunc_normal_(self.down.weight, std=0.02 / (2 * config.depth) ** 0.5)

    def forward(self, h: Tensor) -> Tensor:
        """`[B, T, D]` → `[B, T, D]`."""
        near = self.norm(self.mix(h.transpose(1, 2)).transpose(1, 2))
        return h + self.drop(self.down(F.gelu(self.up(near))))  # type: ignore[no-any-return]
