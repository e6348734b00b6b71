"""The face every backbone shows, and the activations and initialisations they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from headstart.errors import UserError, unknown
from headstart.settings import Settings
from headstart.types import Batch, Features, SampleKind, Spec

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "elu": nn.ELU,
    "celu": nn.CELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "hardswish": nn.Hardswish,
    "relu6": nn.ReLU6,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}


class Backbone(nn.Module, ABC):
    """An encoder.

    dim: D of `Features.pooled` `[B, D]`.
    token_dim: D of `Features.tokens` `[B, T, D]`, 0 when there are no tokens.
    stride: columns of the input's last dimension a token, where tokens follow one another in time.
    reads: kinds of `Spec` that it can be built for.
    dimensions: of the samples it is for: 3 for pictures, 2 for series, None for any.
    pretrained: whether it comes with weights (`begin_with`).
    rate: what suits those weights, as a share of the learning rate.
    blends: whether it mixes samples itself, as `Batch.blend` asks.
    """

    Config: ClassVar[type[Settings]]
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"continuous"})
    blends: ClassVar[bool] = False
    dimensions: ClassVar[int | None] = None
    dim: int
    token_dim: int = 0
    stride: int = 1
    pretrained: bool = False
    rate: float = 1.0

    @abstractmethod
    def __init__(self, config: Settings, spec: Spec) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, batch: Batch) -> Features:
        """Encode `batch.x`."""

    def frames(self, batch: Batch) -> Tensor:
        """How many tokens it makes of each sample that tasks on frames answer for: `[B]`.

        By default all of `forward` is done to know it.
        """
        features = self(batch)
        if features.mask is None:
            return torch.full((len(features.tokens),), features.tokens.shape[1])
        found: Tensor = features.mask.sum(dim=1)
        return found

    @abstractmethod
    def layers(self) -> list[nn.Module]:
        """Its parts from the input up: rates fall with depth in this order."""

    def begin_with(self) -> str | None:
        """Take the weights that it comes with, where it does; what was taken, in a sentence."""
        return None


def check_odd(name: str, reach: int) -> None:
    """Raises:
    UserError: a convolution that looks at so many places has no middle.
    """
    if reach % 2 == 0:
        raise UserError(f"setting 'backbone.{name}' is {reach}: it must be odd.")


def activation(name: str) -> nn.Module:
    """An activation by name.

    Raises:
        UserError: no activation has that name.
    """
    if name not in ACTIVATIONS:
        raise unknown("activation", name, list(ACTIVATIONS))
    return ACTIVATIONS[name]()


def initialise(module: nn.Module, activation_name: str) -> None:
    """He's normal initialisation (arXiv:1502.01852) for linear and convolutional layers.

    The gain is that of the activation that follows; where PyTorch knows none (GELU, SiLU, ...)
    the rectifier's is right within a few per cent.
    """
    known = {"tanh", "sigmoid", "selu", "leaky_relu"}
    nonlinearity = activation_name if activation_name in known else "relu"
    if activation_name == "identity":
        nonlinearity = "linear"
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d):
            gain = nn.init.calculate_gain(nonlinearity)  # type: ignore[arg-type]
            weight: Tensor = layer.weight
            fan_in = nn.init._calculate_correct_fan(weight, "fan_in")
            nn.init.normal_(weight, std=gain / fan_in**0.5)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
