"""Random Fourier features (Rahimi and Recht, 2007; Tancik et al., 2020, arXiv:2006.10739)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.settings import Settings, setting
from headstart.types import Batch, Features, Spec


class FourierConfig(Settings):
    """Its size."""

    frequencies: int = setting(128, "random directions", flag="")
    scale: float = setting(0.05, "deviation of their lengths", flag="")
    width: int = setting(128, "units of each layer", flag="")


class Fourier(Backbone):
    """Sines and cosines of random projections, and two layers."""

    Config: ClassVar[type[Settings]] = FourierConfig
    directions: Tensor  # [F, D]

    def __init__(self, config: FourierConfig, spec: Spec) -> None:
        nn.Module.__init__(self)
        self.register_buffer(
            "directions", torch.randn(spec.size, config.frequencies) * config.scale
        )
        self.first = nn.Linear(2 * config.frequencies, config.width)
        self.second = nn.Linear(config.width, config.width)
        self.dim = config.width

    def forward(self, batch: Batch) -> Features:
        """`[B, ...]` → pooled `[B, D]`."""
        angles = 2 * math.pi * batch.x.flatten(1) @ self.directions  # [B, D]
        h = torch.cat([angles.sin(), angles.cos()], dim=1)
        return Features(pooled=self.second(torch.relu(self.first(h))))

    def layers(self) -> list[nn.Module]:
        """The two layers; the directions are not learned."""
        return [self.first, self.second]
