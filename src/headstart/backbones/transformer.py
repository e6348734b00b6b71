"""A compact transformer encoder of today: pre-norm, rotary positions, gated perceptrons, no biases.

Attention as in Vaswani et al., 2017 (arXiv:1706.03762), norms first (arXiv:2002.04745), rotary
positions (Su et al., 2021, arXiv:2104.09864), gated GELU (Shazeer, 2020, arXiv:2002.05202): the
layer of ModernBERT (arXiv:2412.13663). What is padding is left out of everything but attention;
texts packed in one row do not see one another.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.tokenwise import Pool, Tokenwise, windows
from headstart.errors import UserError
from headstart.settings import Settings, setting
from headstart.types import Spec

THETA = 10_000.0


class TransformerConfig(Settings):
    """Its size, and how tokens become one vector."""

    width: int = setting(128, "of each token's vector", flag="", least=1)
    depth: int = setting(4, "blocks", flag="", least=1)
    heads: int = setting(4, "of attention; they share the width", flag="", least=1)
    pool: Pool = setting("mean", "mean, max, first or last token: the vector of the text", flag="")
    dropout: float = setting(0.1, "share of units dropped in training", flag="", least=0, below=1)


class Transformer(Tokenwise):
    """Tokens that look at one another, in both directions."""

    Config: ClassVar[type[Settings]] = TransformerConfig
    causal: ClassVar[bool] = False
    cos: Tensor  # [W, d/2]
    sin: Tensor

    def __init__(self, config: TransformerConfig, spec: Spec) -> None:
        if config.width % (2 * config.heads):
            raise UserError(
                f"setting 'backbone.width' is {config.width}: it must be a multiple of"
                f" 2 × backbone.heads, {2 * config.heads}."
            )
        self.begin(spec, config.width, config.pool)
        self.config = config
        self.norm_in = nn.LayerNorm(config.width, bias=False)
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.dropout) for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.width, bias=False)
        cos, sin = rotary(self.vocabulary.window, config.width // config.heads)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
        for name, weight in self.named_parameters():
            if name.endswith(("out.weight", "down.weight")):
                # So that the sum over blocks does not grow with their number (GPT-2).
                nn.init.trunc_normal_(weight, std=0.02 / (2 * config.depth) ** 0.5)

    def read(self, x: Tensor, there: Tensor) -> Tensor:
        """See `Tokenwise`; rows wider than a window are read window by window."""
        b, t = x.shape
        place: Tensor | None = None
        mask: Tensor | None
        if torch.compiler.is_exporting():
            # One graph for every batch: nothing hangs on what is in it.
            if self.long:
                wide = self.vocabulary.window
                x, there = (part.reshape(b * (t // wide), wide) for part in (x, there))
            mask = self._whole_mask(x, there)
        else:
            x, there = windows(x, self.vocabulary.window), windows(there, self.vocabulary.window)
            mask = self._mask(x, there)
            full = mask is None and not self.causal
            # Only what is there is worth computing: tokens of all rows in one list, [M, D].
            place = None if full or bool(there.all()) else there
        h: Tensor = self.embedding(x if place is None else x[place])
        h = self.drop(self.norm_in(h))
        turn = self.cos[: x.shape[1]], self.sin[: x.shape[1]]
        for block in self.blocks:
            h = block(h, place, mask, turn, causal=self.causal)
        h = self.norm(h)
        if place is not None:
            h = scattered(h, place)
        return h.reshape(b, t, h.shape[-1])

    def _mask(self, x: Tensor, there: Tensor) -> Tensor | None:
        """Who may look at whom, `[B, 1, T or 1, T]`; None where all may, or all before."""
        many = bool((x[:, 1:] == self.vocabulary.begin).any())
        if not many:
            # What comes after the end of a text is never looked at by what is before it.
            return None if self.causal or bool(there.all()) else there[:, None, None, :]
        return self._whole_mask(x, there)

    def _whole_mask(self, x: Tensor, there: Tensor) -> Tensor:
        """`[B, 1, T, T]`: the tokens of the same text that are there, and each itself."""
        text = (x == self.vocabulary.begin).cumsum(dim=1)  # which text of its row a token is of
        mask = (text[:, None, :, None] == text[:, None, None, :]) & there[:, None, None, :]
        if self.causal:
            mask = mask.tril()
        # What is padding sees itself, or its softmax would be of nothing.
        return mask | torch.eye(x.shape[1], dtype=torch.bool, device=x.device)

    def layers(self) -> list[nn.Module]:
        """The embedding, then each block; the last norm is a layer of its own."""
        return [nn.ModuleList([self.embedding, self.norm_in]), *self.blocks, self.norm]


class Block(nn.Module):
    """Attention, then a gated perceptron, each added to what comes in."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        hidden = 8 * round(width / 3)  # with the gate, as many weights as a plain one of 4 · width
        self.heads = heads
        self.dropout = dropout
        self.norm1 = nn.LayerNorm(width, bias=False)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.norm2 = nn.LayerNorm(width, bias=False)
        self.up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(
        self,
        h: Tensor,
        place: Tensor | None,
        mask: Tensor | None,
        turn: tuple[Tensor, Tensor],
        *,
        causal: bool,
    ) -> Tensor:
        """`[B, T, D]`, or `[M, D]` with `place` `[B, T]` saying where those M tokens stand."""
        h = h + self._drop(self.attend(self.norm1(h), place, mask, turn, causal=causal))
        gate, value = self.up(self.norm2(h)).chunk(2, dim=-1)
        return h + self._drop(self.down(F.gelu(gate) * value))

    def attend(
        self,
        h: Tensor,
        place: Tensor | None,
        mask: Tensor | None,
        turn: tuple[Tensor, Tensor],
        *,
        causal: bool,
    ) -> Tensor:
        """Every token looks at those that `mask` lets it see."""
        qkv = self.qkv(h)
        if place is not None:
            qkv = scattered(qkv, place)
        qkv = qkv.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # [3, B, H, T, d]
        q, k = rotated(qkv[:2], *turn)
        seen = F.scaled_dot_product_attention(
            q, k, qkv[2], attn_mask=mask, is_causal=causal and mask is None
        )
        seen = seen.transpose(1, 2).flatten(2)  # [B, T, D]
        return self.out(seen if place is None else seen[place])  # type: ignore[no-any-return]

    def _drop(self, branch: Tensor) -> Tensor:
        return F.dropout(branch, self.dropout, self.training)


def scattered(h: Tensor, place: Tensor) -> Tensor:
    """Tokens `[M, D]` put where they stand, `[B, T, D]`; zero elsewhere."""
    full = h.new_zeros(*place.shape, h.shape[-1])
    full[place] = h
    return full


def rotary(length: int, width: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines `[length, width / 2]` of position · 10,000^(−2i / width) (eq. 15)."""
    rates = THETA ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * rates
    return angles.cos().float(), angles.sin().float()


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Vectors `[..., T, d]`, each pair (i, i + d/2) turned by its position's angle (eq. 34)."""
    one, other = x.chunk(2, dim=-1)
    return torch.cat([one * cos - other * sin, other * cos + one * sin], dim=-1)
