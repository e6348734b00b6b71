"""A temporal convolutional network (Bai et al., 2018, arXiv:1803.01271) for series.

Residual blocks of two convolutions along time, each block looking twice as far as the one below.
Unlike in the paper a step sees both sides, as classification wants it, with batch normalisation
and without dropout (the residual network of Wang et al., 2017, arXiv:1611.06455). Asked to be
causal it is the same network shifted: a step then sees what was before it.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import activation, check_odd, initialise
from headstart.backbones.stepwise import Pool, Stepwise
from headstart.backbones.stochastic_depth import shares, skip_branch
from headstart.errors import UserError
from headstart.settings import Settings, setting
from headstart.types import Spec

MOST_TOKENS = 256  # longer series are read several steps at once
FURTHEST = 5  # doublings of the dilation, then again from 1


class TCNConfig(Settings):
    """Its size, and how steps become one vector."""

    width: int = setting(64, "channels", flag="", least=1)
    depth: int = setting(
        4, "residual blocks; each looks twice as far as the one below", flag="", least=1
    )
    kernel: int = setting(5, "steps that a convolution looks at together; odd", flag="", least=1)
    stride: int | None = setting(
        None,
        "steps that the first layer makes one of; by default so many that 256 are left",
        flag="",
        least=1,
    )
    pool: Pool = setting("both", "the vector of the series: mean, max or both", flag="")
    activation: str = setting("gelu", "between layers, by name", flag="activation")
    drop_path: float = setting(
        0.0, "share of samples that skip the last block; fewer below", least=0, below=1
    )


class TCN(Stepwise):
    """Steps that look at their neighbours, further and further."""

    Config: ClassVar[type[Settings]] = TCNConfig

    def __init__(self, config: TCNConfig, spec: Spec) -> None:
        self.begin("tcn", spec, config.width, config.pool)
        check_odd("kernel", config.kernel)
        channels, length = spec.shape
        self.stride = config.stride or -(-length // MOST_TOKENS)
        if not 1 <= self.stride <= length:
            raise UserError(
                f"setting 'backbone.stride' is {self.stride}; series of {length} steps need one of"
                f" 1 to {length}."
            )
        self.stem = Conv(channels, config.width, config.kernel, stride=self.stride)
        drops = shares(config.drop_path, config.depth)
        self.blocks = nn.ModuleList(
            ResidualBlock(config, 2 ** (i % (FURTHEST + 1)), drop) for i, drop in enumerate(drops)
        )
        initialise(self, config.activation)
        for block in self.blocks:
            # A block begins as nothing: the network learns from its shallow part first.
            nn.init.zeros_(block.norm2.weight)  # type: ignore[arg-type, union-attr]

    def read(self, x: Tensor, there: Tensor | None, *, causal: bool = False) -> Tensor:
        """See `Stepwise`."""
        x = F.pad(x, (0, -x.shape[2] % self.stride))
        seen = None if there is None else there[:, None].to(x.dtype)  # [B, 1, N]
        h = shown(self.stem(x, causal=causal), seen)
        for block in self.blocks:
            h = shown(block(h, seen, causal=causal), seen)
        return h.transpose(1, 2)

    def layers(self) -> list[nn.Module]:
        """The stem, then each block."""
        return [self.stem, *self.blocks]


class ResidualBlock(nn.Module):
    """Two convolutions, added to what comes in."""

    def __init__(self, config: TCNConfig, dilation: int, drop: float) -> None:
        super().__init__()
        width, self.drop = config.width, drop
        self.conv1 = Conv(width, width, config.kernel, dilation=dilation)
        self.norm1 = nn.BatchNorm1d(width)
        self.act = activation(config.activation)
        self.conv2 = Conv(width, width, config.kernel, dilation=dilation)
        self.norm2 = nn.BatchNorm1d(width)

    def forward(self, h: Tensor, seen: Tensor | None, *, causal: bool) -> Tensor:
        """`[B, D, N]` → `[B, D, N]`."""
        inner = shown(self.act(self.norm1(self.conv1(h, causal=causal))), seen)
        inner = self.norm2(self.conv2(inner, causal=causal))
        return self.act(h + skip_branch(inner, self.drop, training=self.training))  # type: ignore[no-any-return]


class Conv(nn.Conv1d):
    """A convolution that keeps the number of steps (by stride), centred or looking back.

    With a stride, a token's steps are the last that the kernel covers.
    """

    def __init__(
        self, width: int, wider: int, kernel: int, *, stride: int = 1, dilation: int = 1
    ) -> None:
        size = max(kernel, stride) if stride > 1 else kernel
        super().__init__(width, wider, size, stride=stride, dilation=dilation)

    def forward(self, x: Tensor, *, causal: bool = False) -> Tensor:
        """`[B, C, T]` → `[B, D, T / stride]`."""
        reach = self.dilation[0] * (self.kernel_size[0] - 1) + 1 - self.stride[0]
        left = reach if causal else reach // 2
        return super().forward(F.pad(x, (left, reach - left)))


def shown(h: Tensor, seen: Tensor | None) -> Tensor:
    """`[B, D, N]` with nothing where a series has ended: it says nothing to its neighbours."""
    return h if seen is None else h * seen
