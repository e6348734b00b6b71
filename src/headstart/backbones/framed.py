"""The face of backbones that hear in two steps: what is there, then what surrounds it."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

from headstart.backbones.base import Backbone, activation, check_odd
from headstart.backbones.windows import Windows, frames_of, mean_and_max
from headstart.types import Batch, Features, Spec


class Framed(Backbone):
    """A backbone with a token a frame, in two steps.

    What a frame sounds like by itself can be hidden before frames look at one another: what is
    hidden must then be guessed from what surrounds it.
    """

    spec: Spec

    def frames(self, batch: Batch) -> Tensor:
        """`[B]`."""
        return frames_of(batch.x, self.spec, self.stride)

    @abstractmethod
    def local(self, batch: Batch) -> tuple[Tensor, Windows]:
        """Each frame by itself, `[P, t, D]` of the windows that hold something."""

    @abstractmethod
    def surrounded(self, h: Tensor) -> Tensor:
        """Frames `[P, t, D]` that have looked at their neighbours, the same shape."""

    def forward(self, batch: Batch) -> Features:
        """Pooled `[B, 2D]`, tokens `[B, W·t, D]`, mask `[B, W·t]`."""
        h, parts = self.local(batch)
        tokens, mask = parts.joined(self.surrounded(h), self.stride)
        return Features(pooled=mean_and_max(tokens, mask), tokens=tokens, mask=mask)


class Context(nn.Module):
    """Each channel along time, then each token alone, added to what was there.

    A block of ConvNeXt (Liu et al., 2022, arXiv:2201.03545) in one dimension.
    """

    def __init__(self, dim: int, reach: int, name: str) -> None:
        super().__init__()
        check_odd("reach", reach)
        self.along = nn.Conv1d(dim, dim, reach, padding=reach // 2, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.wide = nn.Linear(dim, 2 * dim)
        self.act = activation(name)
        self.last = nn.Linear(2 * dim, dim)

    def forward(self, h: Tensor) -> Tensor:
        """`[P, t, D]` → the same."""
        mixed = self.along(h.transpose(1, 2)).transpose(1, 2)
        return h + self.last(self.act(self.wide(self.norm(mixed))))  # type: ignore[no-any-return]
