"""TabM: one multilayer perceptron that is many (Gorishniy et al., 2024, arXiv:2410.24210).

K members share every weight matrix; each has vectors of its own that scale what goes into a layer
and what comes out (BatchEnsemble, arXiv:2002.06715), so that an ensemble costs little more than
one network. Each member is trained by its own loss, and the answer is the mean of theirs.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from headstart.backbones.base import Backbone, activation
from headstart.backbones.encoded import Encoded
from headstart.settings import Settings, setting
from headstart.types import Batch, Features, SampleKind, Spec


class TabMConfig(Settings):
    """How many members, how large, and how numbers come in."""

    members: int = setting(8, "networks that share their weights", flag="", least=1)
    width: int = setting(256, "units of each layer", flag="", least=1)
    depth: int = setting(2, "layers", flag="", least=1)
    bins: int = setting(
        16,
        "pieces that each number is cut into, at quantiles of train; 0 for plain numbers",
        flag="",
        least=0,
    )
    dropout: float = setting(
        0.1, "share of units dropped after each activation", flag="", least=0, below=1
    )
    activation: str = setting("relu", "between layers, by name", flag="activation")


class TabM(Backbone):
    """Columns encoded, then layers of which each member has its own view."""

    Config: ClassVar[type[Settings]] = TabMConfig
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"mixed"})
    blends: ClassVar[bool] = True

    def __init__(self, config: TabMConfig, spec: Spec) -> None:
        nn.Module.__init__(self)
        self.encoded = Encoded(spec, config.bins)
        self.dim = config.width
        widths = [self.encoded.dim] + [config.width] * config.depth
        self.stack = nn.ModuleList(
            nn.Sequential(
                Ensembled(narrow, wide, config.members),
                activation(config.activation),
                nn.Dropout(config.dropout),
            )
            for narrow, wide in pairwise(widths)
        )
        # Members differ in how they see the columns: a sign for each, drawn once.
        first: Ensembled = self.stack[0][0]  # type: ignore[index]
        columns = self.encoded.columns
        signs = torch.randint(0, 2, (config.members, int(columns.max()) + 1)).float() * 2 - 1
        first.inward.data = signs[:, columns]

    def forward(self, batch: Batch) -> Features:
        """`[B, F]` → pooled `[B, D]`, members `[B, K, D]`."""
        x = self.encoded(batch.x)  # [B, E]
        if batch.blend is not None:
            partner, share = batch.blend
            x = share * x + (1 - share) * x[partner]
        h = x[:, None, :]  # [B, 1, E]: all members are shown the same
        for layer in self.stack:
            h = layer(h)  # [B, K, D]
        return Features(pooled=h.mean(dim=1), members=h)

    def layers(self) -> list[nn.Module]:
        """The encoding, then each layer with what follows it."""
        return [self.encoded, *self.stack]


class Ensembled(nn.Module):
    """A linear layer of K members: `y_k = outward_k · W (inward_k · x_k) + bias_k`."""

    def __init__(self, narrow: int, wide: int, members: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(wide, narrow))
        self.inward = nn.Parameter(torch.ones(members, narrow))
        self.outward = nn.Parameter(torch.ones(members, wide))
        self.bias = nn.Parameter(torch.empty(members, wide))
        bound = narrow**-0.5
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, K or 1, narrow]` → `[B, K, wide]`."""
        h = (x * self.inward) @ self.weight.t()
        return h * self.outward + self.bias
