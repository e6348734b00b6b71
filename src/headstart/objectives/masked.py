"""The masked autoencoder (He et al., 2022, arXiv:2111.06377), of pictures and of series.

Most patches of a picture are hidden. The encoder sees the others only, which makes it cheap; a
light decoder is told where the hidden ones were and guesses their pixels. Neighbouring pixels
hardly help when three patches in four are missing: the network must know what it looks at.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart import collectives
from headstart.backbones.base import Backbone
from headstart.backbones.patched import Patched
from headstart.backbones.vit import Block, pick, sincos
from headstart.errors import UserError
from headstart.objectives.autoencoder import mean_sample_loss
from headstart.parts.learner import Learner
from headstart.parts.measured import weights
from headstart.settings import Settings, setting
from headstart.types import Batch, Spec, Step


class MaskedConfig(Settings):
    """What is hidden, and who guesses it."""

    ratio: float = setting(0.75, "share of patches that are hidden", flag="", above=0, below=1)
    normalise: bool = setting(
        False, "guess each patch less its mean and by its own deviation: detail, not brightness",
        flag="",
    )  # fmt: skip
    width: int = setting(64, "the decoder's width, a multiple of 4", flag="", least=4)
    depth: int = setting(2, "the decoder's blocks", flag="", least=1)
    augment: bool = setting(True, "learn from moved and turned pictures", flag="")


class Masked(Learner):
    """Visible patches → tokens → hidden patches."""

    Config: ClassVar[type[Settings]] = MaskedConfig
    needs: ClassVar[type[Backbone]] = Patched  # type: ignore[type-abstract]
    encoder: Patched
    positions: Tensor

    def __init__(self, config: MaskedConfig, encoder: Patched, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.spec = spec
        self.augment = config.augment
        if config.width % 4:
            raise UserError(
                f"setting 'objective.width' is {config.width}: it must be a multiple of 4."
            )
        most = max(1, config.width // 32)
        heads = next(heads for heads in range(most, 0, -1) if config.width % heads == 0)
        self.enter = nn.Linear(encoder.token_dim, config.width)
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, config.width))
        self.register_buffer("positions", sincos(encoder.grid, config.width)[None])  # [1, N, K]
        self.blocks = nn.ModuleList(Block(config.width, heads) for _ in range(config.depth))
        self.leave = nn.Sequential(
            nn.LayerNorm(config.width), nn.Linear(config.width, encoder.numbers)
        )

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """Mean squared error over the values of hidden patches (section 3)."""
        order = self._order(batch)
        counted = self.encoder.cut(weights(batch.x)) if self.spec.flagged else None
        loss = hidden_loss(
            self._guess(batch, order), self._target(batch), order, self._visible(), counted
        )
        weight = len(batch) if counted is None else hidden_count(counted, order, self._visible())
        return Step.sum(weight, reconstruction=loss)

    def trivial_loss(self, batch: Batch) -> float:
        """The error of guessing the mean of each place."""
        if self.spec.flagged:
            return mean_sample_loss(batch.x, flagged=True)
        return mean_sample_loss(self._target(batch))

    def reconstruct(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The picture with its hidden patches at the mean, and with guesses in their places."""
        order = self._order(batch)
        patches = self.encoder.cut(batch.x)  # [B, N, P·P·C]
        guess = self._guess(batch, order)
        if self.config.normalise:
            guess = guess * deviation(patches) + patches.mean(dim=2, keepdim=True)
        hidden = order.argsort(dim=1)[:, :, None] >= self._visible()  # [B, N, 1]
        return tuple(  # type: ignore[return-value]
            self.spec.bounded(self.encoder.join(filled, self.spec.shape))
            for filled in (patches * ~hidden, torch.where(hidden, guess, patches))
        )

    def _visible(self) -> int:
        patches = self.encoder.grid[0] * self.encoder.grid[1]
        return patches - min(max(round(self.config.ratio * patches), 1), patches - 1)

    def _order(self, batch: Batch) -> Tensor:
        """A random order of each picture's patches, `[B, N]`; the first ones stay visible."""
        patches = self.encoder.grid[0] * self.encoder.grid[1]
        return collectives.rand_like(batch.x.new_empty(len(batch.x), patches)).argsort(dim=1)

    def _target(self, batch: Batch) -> Tensor:
        patches = self.encoder.cut(batch.x)  # [B, N, P·P·C]
        if not self.config.normalise:
            return patches
        return (patches - patches.mean(dim=2, keepdim=True)) / deviation(patches)

    def _guess(self, batch: Batch, order: Tensor) -> Tensor:
        """All patches as the decoder has them, `[B, N, P·P·C]`, in their places."""
        visible = order[:, : self._visible()]  # [B, V]
        tokens = self.encoder.encode(batch, visible).tokens
        assert tokens is not None
        h = in_place(self.enter(tokens), self.mask_token, order) + self.positions  # [B, N, K]
        for block in self.blocks:
            h = block(h)
        return self.leave(h)  # type: ignore[no-any-return]


def in_place(tokens: Tensor, mask_token: Tensor, order: Tensor) -> Tensor:
    """Tokens `[B, V, K]` of patches `order[:, :V]`, and mask tokens for the rest, unshuffled.

    order: `[B, N]`. Returns `[B, N, K]`: row `order[b, i]` of picture b is token i.
    """
    b, v, k = tokens.shape
    masks = mask_token.expand(b, order.shape[1] - v, k)
    return pick(torch.cat([tokens, masks], dim=1), order.argsort(dim=1))


def hidden_loss(
    guess: Tensor, target: Tensor, order: Tensor, visible: int, counted: Tensor | None = None
) -> Tensor:
    """Mean squared error of `[B, N, P]` over the patches `order[:, visible:]` only.

    counted: which of their numbers count, 1 or 0 `[B, N, P]`; None for all.
    """
    hidden = order[:, visible:]
    if counted is not None:
        weight = pick(counted, hidden)
        error = (pick(guess, hidden) - pick(target, hidden)).square()
        return (weight * error).sum() / weight.sum().clamp(min=1)
    return F.mse_loss(pick(guess, hidden), pick(target, hidden))


def hidden_count(counted: Tensor, order: Tensor, visible: int) -> int:
    """How many numbers `hidden_loss` is a mean over."""
    return max(1, int(pick(counted, order[:, visible:]).sum()))


def deviation(patches: Tensor) -> Tensor:
    """The deviation of the values of each patch `[B, N, P]` → `[B, N, 1]`."""
    return (patches.var(dim=2, keepdim=True, correction=0) + 1e-6).sqrt()
