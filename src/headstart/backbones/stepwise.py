"""The face of backbones that read series and say something of each part of them."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.errors import UserError
from headstart.types import Batch, Features, Spec

Pool = Literal["mean", "max", "both"]


class Stepwise(Backbone):
    """A backbone of series `[B, C, T]`: one vector a token, and one of the whole series.

    stride: steps that a token stands for; token i is of steps `i · stride` on.
    flagged: whether half of the channels say what was measured (`Spec.flagged`).
    """

    dimensions: ClassVar[int | None] = 2
    stride: int
    flagged: bool
    pooling: Pool

    def begin(self, name: str, spec: Spec, width: int, pooling: Pool) -> None:
        """What all begin with.

        Raises:
            UserError: these are no series.
        """
        nn.Module.__init__(self)
        if not spec.is_series:
            raise UserError(
                f"backbone '{name}' needs series; these samples have shape {list(spec.shape)}.",
                "Use --backbone mlp, or read the data as series: --kind series.",
            )
        self.flagged, self.pooling = spec.flagged, pooling
        self.token_dim = width
        self.dim = 2 * width if pooling == "both" else width

    @abstractmethod
    def read(self, x: Tensor, there: Tensor | None, *, causal: bool = False) -> Tensor:
        """Series `[B, C, T]` → tokens `[B, N, D]`.

        there: `[B, N]`, False where a series has ended; None where none has.
        causal: whether a token may see its own steps and those before them only.
        """

    def forward(self, batch: Batch) -> Features:
        """`[B, C, T]` → pooled `[B, D]`, tokens `[B, N, D]`, mask `[B, N]`."""
        there = self.there(batch.x)
        tokens = self.read(batch.x, there)
        return Features(pool(tokens, there, self.pooling), tokens, there)

    def there(self, x: Tensor) -> Tensor | None:
        """Which tokens stand for a part of the series, `[B, N]`; None where all do."""
        if not self.flagged:
            return None
        measured = x[:, x.shape[1] // 2 :].amax(dim=1, keepdim=True)  # [B, 1, T]
        measured = F.max_pool1d(F.pad(measured, (0, -x.shape[2] % self.stride)), self.stride)
        there = measured[:, 0] > 0.5
        return there.flip(1).cumsum(dim=1).flip(1) > 0  # what is missing within is there


def pool(tokens: Tensor, there: Tensor | None, how: Pool) -> Tensor:
    """Tokens `[B, N, D]` that are there `[B, N]` as one vector each, `[B, D]` or `[B, 2·D]`."""
    parts = []
    if how in ("mean", "both"):
        if there is None:
            parts.append(tokens.mean(dim=1))
        else:
            share = there.to(tokens.dtype)
            share = share / share.sum(dim=1, keepdim=True).clamp(min=1)
            parts.append(torch.einsum("bn,bnd->bd", share, tokens))
    if how in ("max", "both"):
        shown = tokens
        if there is not None:
            some = there.any(dim=1, keepdim=True)  # a sample of which nothing is there keeps all
            shown = tokens.masked_fill((~there & some)[:, :, None], -torch.inf)
        parts.append(shown.amax(dim=1))
    return torch.cat(parts, dim=1)
