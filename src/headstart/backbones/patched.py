"""The face of backbones that cut samples into patches and can encode some of them only."""

from __future__ import annotations

from abc import abstractmethod

import torch.nn.functional as F
from torch import Tensor

from headstart.backbones.base import Backbone
from headstart.types import Batch, Features


class Patched(Backbone):
    """A backbone with one token a patch.

    patch: side of a patch in pixels, or its steps.
    grid: patches down and across; the sample is padded to a whole number of them.
    numbers: in a patch.
    """

    patch: int
    grid: tuple[int, int]
    numbers: int

    @abstractmethod
    def encode(self, batch: Batch, visible: Tensor | None) -> Features:
        """Encode the patches numbered `visible` `[B, V]` only, row by row; None for all of them.

        Returns tokens `[B, V, D]`, in the order of `visible`.
        """

    def cut(self, x: Tensor) -> Tensor:
        """Samples `[B, ...]` → their patches in order, `[B, N, numbers]`."""
        return patchify(x, self.patch)

    def join(self, patches: Tensor, shape: tuple[int, ...]) -> Tensor:
        """The inverse of `cut`, without the padding; shape: of one sample."""
        return unpatchify(patches, self.patch, shape)


def patchify(x: Tensor, patch: int) -> Tensor:
    """Pictures `[B, C, H, W]` → their patches, row by row, `[B, N, patch·patch·C]`."""
    b, c, height, width = x.shape
    x = F.pad(x, (0, -width % patch, 0, -height % patch))
    h, w = x.shape[2] // patch, x.shape[3] // patch
    x = x.reshape(b, c, h, patch, w, patch)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(b, h * w, patch * patch * c)


def unpatchify(patches: Tensor, patch: int, shape: tuple[int, ...]) -> Tensor:
    """The inverse of `patchify`: `[B, N, patch·patch·C]` → `[B, C, H, W]`; shape is `(C, H, W)`."""
    c, height, width = shape
    h, w = -(-height // patch), -(-width // patch)
    x = patches.reshape(-1, h, w, patch, patch, c).permute(0, 5, 1, 3, 2, 4)  # [B, C, h, P, w, P]
    return x.reshape(-1, c, h * patch, w * patch)[:, :, :height, :width]
