"""Codes back to samples: a mirror of linear layers, or convolutions for pictures and series."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import Backbone, activation, initialise
from headstart.backbones.dense import Dense
from headstart.backbones.mlp import MLP
from headstart.parts.columns import Guesses
from headstart.types import Spec

Output = Literal["auto", "sigmoid", "linear", "relu"]


def decoder_for(encoder: Backbone, dim: int, spec: Spec, output: Output) -> nn.Module:
    """The decoder that suits an encoder: its mirror image, or convolutions for a grid.

    dim: width of the codes it reads. The result maps `[B, dim]` to `[B, *spec.shape]`; for mixed
    samples to what `columns.Guesses` says of each column.
    """
    if spec.kind == "mixed":
        return Guesses(dim, spec)
    if isinstance(encoder, MLP):
        config = encoder.config
        return MLPDecoder(
            dim, config.widths[-2::-1], spec, config.activation, output, init=config.init
        )
    if spec.is_image:
        return ConvDecoder(dim, (64, 32), spec, "silu", output)
    if spec.is_series:
        return SeriesDecoder(dim, (64, 32), spec, "silu", output)
    return MLPDecoder(dim, (256, 512), spec, "gelu", output)


class Bound(nn.Module):
    """The last step of a decoder: values a sample can take.

    A sigmoid stretched over the spec's bounds where there are bounds, else nothing. A rectifier
    is possible because the article has one; it can die, and then its unit is dead for good.
    """

    def __init__(self, spec: Spec, output: Output) -> None:
        super().__init__()
        bounded = spec.low is not None and spec.high is not None
        self.kind = ("sigmoid" if bounded else "linear") if output == "auto" else output
        self.low = spec.low if spec.low is not None else 0.0
        self.high = spec.high if spec.high is not None else 1.0

    def forward(self, h: Tensor) -> Tensor:
        """Any shape in, the same out."""
        if self.kind == "sigmoid":
            return self.low + (self.high - self.low) * h.sigmoid()
        return h.relu() if self.kind == "relu" else h


class MLPDecoder(nn.Module):
    """Linear layers from a code to a flat sample."""

    def __init__(
        self,
        dim: int,
        widths: Sequence[int],
        spec: Spec,
        activation_name: str,
        output: Output,
        *,
        init: str = "he",
    ) -> None:
        super().__init__()
        self.shape = spec.shape
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Linear(dim, width), activation(activation_name)]
            dim = width
        self.stack = nn.Sequential(*layers, nn.Linear(dim, spec.size))
        self._dense = Dense(self.stack)
        self.bound = Bound(spec, output)
        if init == "he":
            initialise(self, activation_name)

    def forward(self, code: Tensor) -> Tensor:
        """`[B, dim]` → `[B, *shape]`."""
        flat = self._dense(code)
        return self.bound(flat.view(len(flat), *self.shape))  # type: ignore[no-any-return]


class SeriesDecoder(nn.Module):
    """A linear layer to a short series, then stages that double its steps and thin its channels."""

    def __init__(
        self, dim: int, widths: Sequence[int], spec: Spec, activation_name: str, output: Output
    ) -> None:
        super().__init__()
        channels, self.length = spec.shape
        times = 2 ** len(widths)
        self.grid = (widths[0], -(-self.length // times))
        self.start = nn.Sequential(
            nn.Linear(dim, self.grid[0] * self.grid[1]), activation(activation_name)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(wide, thin, 5, padding=2, bias=False),
                nn.BatchNorm1d(thin),
                activation(activation_name),
            )
            for wide, thin in pairwise((*widths, widths[-1]))
        )
        self.last = nn.Conv1d(widths[-1], channels, 5, padding=2)
        self.bound = Bound(spec, output)
        initialise(self, activation_name)

    def forward(self, code: Tensor) -> Tensor:
        """`[B, dim]` → `[B, C, T]`."""
        h = self.start(code).unflatten(1, self.grid)  # [B, K, t]
        for stage in self.stages:
            h = stage(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        return self.bound(self.last(h)[:, :, : self.length])  # type: ignore[no-any-return]


class ConvDecoder(nn.Module):
    """A linear layer to a small grid, then stages that double the side and thin the channels.

    The last doubling is a rearrangement of channels (Shi et al., 2016, arXiv:1609.05158): no
    convolution runs at the full side, where it would cost most.
    """

    def __init__(
        self, dim: int, widths: Sequence[int], spec: Spec, activation_name: str, output: Output
    ) -> None:
        super().__init__()
        channels, height, width = spec.shape
        times = 2 ** len(widths)
        self.size = (height, width)
        self.grid = (widths[0], -(-height // times), -(-width // times))
        self.start = nn.Sequential(
            nn.Linear(dim, self.grid[0] * self.grid[1] * self.grid[2]), activation(activation_name)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(wide, thin, 3, padding=1, bias=False),
                nn.BatchNorm2d(thin),
                activation(activation_name),
            )
            for wide, thin in pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1], 4 * channels, 3, padding=1)
        self.bound = Bound(spec, output)
        initialise(self, activation_name)

    def forward(self, code: Tensor) -> Tensor:
        """`[B, dim]` → `[B, C, H, W]`."""
        h = self.start(code).unflatten(1, self.grid)  # [B, K, h, w]
        for stage in self.stages:
            h = stage(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        h = F.pixel_shuffle(self.last(h), 2)[:, :, : self.size[0], : self.size[1]]
        return self.bound(h)  # type: ignore[no-any-return]
