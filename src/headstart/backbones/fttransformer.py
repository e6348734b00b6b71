"""FT-Transformer (Gorishniy et al., 2021, arXiv:2106.11959): a token a column, and one for the row.

A number is its column's vector times the number, plus another; with pieces (`bins`) it is a
piecewise-linear path instead. A category is a vector a value. Tokens look at one another in blocks
with norms first; the row's token is the answer.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.backbones.encoded import Encoded
from headstart.errors import UserError
from headstart.settings import Settings, setting
from headstart.types import Batch, Features, SampleKind, Spec


class FTTransformerConfig(Settings):
    """Its size; the paper's defaults are 192 wide, 3 deep."""

    width: int = setting(96, "of each token's vector", flag="", least=1)
    depth: int = setting(3, "blocks", flag="", least=1)
    heads: int = setting(8, "of attention; they share the width", flag="", least=1)
    bins: int = setting(
        8, "pieces that each number is cut into; 0 for plain numbers", flag="", least=0
    )
    dropout: float = setting(0.1, "share of units dropped in training", flag="", least=0, below=1)


class FTTransformer(Backbone):
    """Columns that look at one another."""

    Config: ClassVar[type[Settings]] = FTTransformerConfig
    reads: ClassVar[frozenset[SampleKind]] = frozenset({"mixed"})
    blends: ClassVar[bool] = True

    def __init__(self, config: FTTransformerConfig, spec: Spec) -> None:
        nn.Module.__init__(self)
        if config.width % config.heads:
            raise UserError(
                f"setting 'backbone.width' is {config.width}: it must be a multiple of"
                f" backbone.heads, {config.heads}."
            )
        self.dim = self.token_dim = config.width
        self.embedding = Tokens(spec, config.width, config.bins)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                config.width, config.heads, 2 * config.width, config.dropout, "gelu",
                batch_first=True, norm_first=True,
            )
            for _ in range(config.depth)
        )  # fmt: skip
        self.norm = nn.LayerNorm(config.width)

    def forward(self, batch: Batch) -> Features:
        """`[B, F]` → pooled `[B, D]`, tokens `[B, F, D]`."""
        h = self.embedding(batch.x)  # [B, 1 + F, D]
        if batch.blend is not None:
            partner, share = batch.blend
            h = share * h + (1 - share) * h[partner]
        for block in self.blocks:
            h = block(h)
        h = self.norm(h)
        return Features(pooled=h[:, 0], tokens=h[:, 1:])

    def layers(self) -> list[nn.Module]:
        """The embedding, then each block; the last norm is a layer of its own."""
        return [self.embedding, *self.blocks, self.norm]


class Tokens(nn.Module):
    """`[B, F]` → `[B, 1 + F, D]`: the row's token, then one a column."""

    mask: Tensor  # [F, E] which numbers of the encoding belong to a column

    def __init__(self, spec: Spec, width: int, bins: int) -> None:
        super().__init__()
        self.encoded = Encoded(spec, bins, width)
        columns = self.encoded.columns
        self.weight = nn.Parameter(torch.empty(len(columns), width))
        self.bias = nn.Parameter(torch.empty(spec.size, width))
        self.row = nn.Parameter(torch.empty(1, width))
        for weight in (self.weight, self.bias, self.row):
            nn.init.normal_(weight, std=0.5 * width**-0.5)
        mask = torch.arange(spec.size)[:, None] == columns
        self.register_buffer("mask", mask.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Each column's part of the encoding through its own linear layer."""
        x = self.encoded(x)  # [B, E]
        tokens = torch.einsum("be,fe,ed->bfd", x, self.mask, self.weight) + self.bias
        return torch.cat([self.row.expand(len(x), 1, -1), tokens], dim=1)
