"""A transformer over patches of a series (PatchTST, Nie et al., 2023, arXiv:2211.14730).

A token is a stretch of steps, so a long series is few tokens, and every block lets all of them
look at one another. Unlike in the paper the channels of a stretch are one token together: what is
asked here is mostly what a series is, and channels say that together.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.patched import Patched
from headstart.backbones.stepwise import Pool, Stepwise, pool
from headstart.backbones.stochastic_depth import shares
from headstart.backbones.vit import Block, pick, sincos
from headstart.errors import UserError
from headstart.settings import Settings, setting
from headstart.types import Batch, Features, Spec

PATCHES = 24  # about so many of a series, where nobody says how long a patch is
LONGEST = 16  # steps of such a patch


class PatchTSConfig(Settings):
    """Its size, and how patches become one vector."""

    width: int = setting(128, "of each token's vector", flag="", least=1)
    depth: int = setting(4, "blocks", flag="", least=1)
    heads: int = setting(4, "of attention; they share the width", flag="", least=1)
    patch: int | None = setting(
        None, "steps of a patch; by default about a 24th of the series", least=1
    )
    pool: Pool = setting("both", "the vector of the series: mean, max or both", flag="")
    drop_path: float = setting(
        0.0, "share of samples that skip the last block; fewer below", least=0, below=1
    )


class PatchTS(Stepwise, Patched):
    """Patches of a series that look at one another."""

    Config: ClassVar[type[Settings]] = PatchTSConfig
    positions: Tensor  # [1, N, D]

    def __init__(self, config: PatchTSConfig, spec: Spec) -> None:
        self.begin("patchts", spec, config.width, config.pool)
        if config.width % (4 * config.heads):
            raise UserError(
                f"setting 'backbone.width' is {config.width}: it must be a multiple of"
                f" 4 × backbone.heads, {4 * config.heads}."
            )
        channels, length = spec.shape
        self.stride = self.patch = config.patch or max(1, min(LONGEST, length // PATCHES))
        if not 1 <= self.patch <= length:
            raise UserError(
                f"setting 'backbone.patch' is {self.patch}; series of {length} steps need one of 1"
                f" to {length}."
            )
        self.grid = (1, -(-length // self.patch))
        self.numbers = channels * self.patch
        self.embed = nn.Linear(self.numbers, config.width)
        self.register_buffer("positions", sincos(self.grid, config.width)[None])
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, drop=drop)
            for drop in shares(config.drop_path, config.depth)
        )
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def read(self, x: Tensor, there: Tensor | None, *, causal: bool = False) -> Tensor:
        """See `Stepwise`."""
        return self._tokens(self.cut(x), self.positions, there, causal=causal)

    def encode(self, batch: Batch, visible: Tensor | None) -> Features:
        """See `Patched`."""
        if visible is None:
            return self(batch)  # type: ignore[no-any-return]
        there = self.there(batch.x)
        there = None if there is None else there.gather(1, visible)
        places = pick(self.positions.expand(len(visible), -1, -1), visible)
        tokens = self._tokens(pick(self.cut(batch.x), visible), places, there, causal=False)
        return Features(pool(tokens, there, self.pooling), tokens, there)

    def cut(self, x: Tensor) -> Tensor:
        """Series `[B, C, T]` → their patches, step by step, `[B, N, P·C]`."""
        b, c, t = x.shape
        n = -(-t // self.patch)
        x = F.pad(x, (0, -t % self.patch)).view(b, c, n, self.patch)
        return x.permute(0, 2, 3, 1).reshape(b, n, self.numbers)

    def join(self, patches: Tensor, shape: tuple[int, ...]) -> Tensor:
        """The inverse of `cut`; shape is `(C, T)`."""
        b, n, _ = patches.shape
        x = patches.view(b, n, self.patch, shape[0]).permute(0, 3, 1, 2)  # [B, C, N, P]
        return x.reshape(b, shape[0], n * self.patch)[:, :, : shape[1]]

    def layers(self) -> list[nn.Module]:
        """The patches' embedding, then each block; the last norm is a layer of its own."""
        return [self.embed, *self.blocks, self.norm]

    def _tokens(
        self, patches: Tensor, places: Tensor, there: Tensor | None, *, causal: bool
    ) -> Tensor:
        """Patches `[B, V, P·C]` at `places` `[B or 1, V, D]` → tokens `[B, V, D]`."""
        h = self.embed(patches) + places
        mask = _who_looks_at_whom(there, h.shape[1], causal=causal, device=h.device)
        for block in self.blocks:
            h = block(h, mask)
        return self.norm(h)  # type: ignore[no-any-return]


def _who_looks_at_whom(
    there: Tensor | None, tokens: int, *, causal: bool, device: torch.device
) -> Tensor | None:
    """Booleans that broadcast to `[B, 1, N, N]`; None where all may look at all."""
    before = None
    if causal:
        before = torch.ones(tokens, tokens, dtype=torch.bool, device=device).tril()
    if there is None:
        return before
    itself = torch.eye(tokens, dtype=torch.bool, device=device)  # so that nobody sees nothing
    seen = there[:, None, None, :] | itself
    return seen if before is None else seen & before
