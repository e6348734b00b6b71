"""A multilayer perceptron of any widths: the article's encoder is 128-64-32-16-8-4-2."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import nn

from headstart.backbones.base import Backbone, activation, initialise
from headstart.backbones.dense import Dense
from headstart.settings import Settings, setting
from headstart.types import Batch, Features, Spec


class MLPConfig(Settings):
    """Widths and what stands between them."""

    widths: tuple[int, ...] = setting(
        (512, 256, 64), "units of each layer; the last is the code", least=1
    )
    activation: str = setting("gelu", "between layers, by name", flag="activation")
    last_activation: bool = setting(False, "also after the last layer (the article does)")
    norm: bool = setting(False, "layer normalisation before each activation")
    dropout: float = setting(0.0, "share of units dropped after each activation", least=0, below=1)
    init: Literal["he", "torch"] = setting("he", "He's normal weights, or PyTorch's default")


class MLP(Backbone):
    """Flattens a sample and passes it through linear layers."""

    Config: ClassVar[type[Settings]] = MLPConfig

    def __init__(self, config: MLPConfig, spec: Spec) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.dim = config.widths[-1]
        layers = []
        width = spec.size
        for i, wider in enumerate(config.widths):
            between = i < len(config.widths) - 1 or config.last_activation
            layers.append(_layer(width, wider, config, between=between))
            width = wider
        self.stack = nn.ModuleList(layers)
        self._dense = Dense(layers)
        if config.init == "he":
            initialise(self, config.activation)

    def forward(self, batch: Batch) -> Features:
        """`[B, ...]` → pooled `[B, D]`."""
        return Features(pooled=self._dense(batch.x.flatten(1)))

    def layers(self) -> list[nn.Module]:
        """Each linear layer with what follows it."""
        return list(self.stack)


def _layer(width: int, wider: int, config: MLPConfig, *, between: bool) -> nn.Sequential:
    parts: list[nn.Module] = [nn.Linear(width, wider)]
    if between:
        if config.norm:
            parts.append(nn.LayerNorm(wider))
        parts.append(activation(config.activation))
        if config.dropout:
            parts.append(nn.Dropout(config.dropout))
    return nn.Sequential(*parts)
