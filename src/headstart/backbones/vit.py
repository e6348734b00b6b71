"""The vision transformer (Dosovitskiy et al., 2021, arXiv:2010.11929), DeiT's sizes (2012.12877).

A picture is cut into patches, each becomes a token, and every block lets tokens look at one
another (attention) and thinks about each alone (the perceptron). It can encode a part of the
patches only, which is what makes masked autoencoders cheap.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.patched import Patched
from headstart.backbones.stochastic_depth import skip_branch
from headstart.errors import UserError
from headstart.settings import Settings, setting
from headstart.types import Batch, Features, Spec

SIZES = {  # width, blocks, heads
    "mini": (128, 4, 4),
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
}


class ViTConfig(Settings):
    """Its size, and how patches become one vector."""

    size: Literal["mini", "tiny", "small", "base"] = setting(
        "mini", "mini suits a CPU; tiny, small and base are DeiT's", flag=""
    )
    patch: int | None = setting(
        None, "side of a patch; by default an eighth of the picture's", least=1
    )
    pool: Literal["mean", "class"] = setting("mean", "mean of tokens, or a token of its own")
    positions: Literal["learned", "sincos"] = setting("sincos", "learned, or fixed waves in 2-D")
    drop_path: float = setting(
        0.0, "share of samples that skip the last block; fewer below", least=0, below=1
    )


class ViT(Patched):
    """Pictures → one token a patch, and their mean or a class token."""

    Config: ClassVar[type[Settings]] = ViTConfig
    dimensions: ClassVar[int | None] = 3

    def __init__(self, config: ViTConfig, spec: Spec) -> None:
        nn.Module.__init__(self)
        if not spec.is_image:
            raise UserError(
                f"backbone 'vit' needs pictures; these samples have shape {list(spec.shape)}.",
                "Use --backbone mlp.",
            )
        channels, height, width = spec.shape
        dim, depth, heads = SIZES[config.size]
        self.dim = self.token_dim = dim
        self.patch = patch_for(min(height, width)) if config.patch is None else config.patch
        if not 1 <= self.patch <= min(height, width):
            raise UserError(
                f"setting 'backbone.patch' is {self.patch}; pictures of {height}×{width} pixels"
                f" need one of 1 to {min(height, width)}."
            )
        self.grid = (-(-height // self.patch), -(-width // self.patch))
        self.numbers = self.patch**2 * channels
        self.embed = Embed(self.numbers, dim, self.grid, config)
        self.blocks = nn.ModuleList(
            Block(dim, heads, drop=config.drop_path * i / max(1, depth - 1)) for i in range(depth)
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, batch: Batch) -> Features:
        """`[B, C, H, W]` → pooled `[B, D]`, tokens `[B, N, D]`."""
        return self.encode(batch, None)

    def encode(self, batch: Batch, visible: Tensor | None) -> Features:
        """Encode the patches `visible` `[B, V]`, or all: pooled `[B, D]`, tokens `[B, V, D]`."""
        h = self.embed(self.cut(batch.x), visible)  # [B, V, D], class token first
        for block in self.blocks:
            h = block(h)
        h = self.norm(h)
        if self.embed.cls is None:
            return Features(pooled=h.mean(dim=1), tokens=h)
        return Features(pooled=h[:, 0], tokens=h[:, 1:])

    def layers(self) -> list[nn.Module]:
        """The patches' embedding, then each block; the last norm is a layer of its own."""
        return [self.embed, *self.blocks, self.norm]


class Embed(nn.Module):
    """Patches → tokens that know where they are."""

    positions: Tensor

    def __init__(self, size: int, dim: int, grid: tuple[int, int], config: ViTConfig) -> None:
        super().__init__()
        self.project = nn.Linear(size, dim)
        self.cls = nn.Parameter(torch.zeros(1, 1, dim)) if config.pool == "class" else None
        extra = 0 if self.cls is None else 1
        if self.cls is not None:
            nn.init.normal_(self.cls, std=0.02)
        if config.positions == "learned":
            self.positions = nn.Parameter(torch.zeros(1, extra + grid[0] * grid[1], dim))
            nn.init.trunc_normal_(self.positions, std=0.02)
        else:
            waves = F.pad(sincos(grid, dim), (0, 0, extra, 0))  # a class token is nowhere
            self.register_buffer("positions", waves[None])

    def forward(self, patches: Tensor, visible: Tensor | None) -> Tensor:
        """`[B, N, P·P·C]` → `[B, V, D]`, with a class token in front where there is one."""
        places = self.positions if self.cls is None else self.positions[:, 1:]  # [1, N, D]
        if visible is not None:
            patches = pick(patches, visible)
            places = pick(places.expand(len(visible), -1, -1), visible)  # [B, V, D]
        h: Tensor = self.project(patches) + places
        if self.cls is None:
            return h
        cls = (self.cls + self.positions[:, :1]).expand(len(h), -1, -1)
        return torch.cat([cls, h], dim=1)


class Block(nn.Module):
    """Attention, then a perceptron, each added to what comes in (pre-norm)."""

    def __init__(self, dim: int, heads: int, *, drop: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.drop = drop
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        """`[B, T, D]` → `[B, T, D]`. mask: as of `attend`."""
        h = h + self._dropped(self.attend(self.norm1(h), mask))
        return h + self._dropped(self.mlp(self.norm2(h)))

    def attend(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        """Every token looks at every token: `[B, T, D]` → `[B, T, D]`.

        mask: which it may look at, booleans that broadcast to `[B, 1, T, T]`; None for all.
        """
        q, k, v = (
            self.qkv(h).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        )  # [B, H, T, d]
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(seen.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _dropped(self, branch: Tensor) -> Tensor:
        return skip_branch(branch, self.drop, training=self.training)


def pick(tokens: Tensor, index: Tensor) -> Tensor:
    """Tokens `[B, N, D]` at `index` `[B, V]` → `[B, V, D]`."""
    return tokens.gather(1, index[:, :, None].expand(-1, -1, tokens.shape[2]))


def sincos(grid: tuple[int, int], dim: int) -> Tensor:
    """Fixed positions in 2-D, `[h·w, dim]`: half the channels tell the row, half the column.

    Each half holds sines and cosines of wavelengths from 2π to 20,000π (Vaswani et al., 2017,
    arXiv:1706.03762, section 3.5; for pictures as in He et al., 2021). dim: a multiple of 4.
    """
    rates = 10_000.0 ** -(torch.arange(dim // 4, dtype=torch.float64) / (dim // 4))
    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    angles = [place.flatten()[:, None] * rates for place in (rows, columns)]  # [h·w, dim/4] each
    return torch.cat([f(a) for a in angles for f in (torch.sin, torch.cos)], dim=1).float()


def patch_for(side: int) -> int:
    """About an eighth of the picture's side, at least 2 and at most 16, with little padding."""
    return min(
        range(2, 17), key=lambda patch: abs(math.log(8 * patch / side)) + (-side % patch) / side
    )
