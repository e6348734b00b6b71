"""What backbones of recordings share: windows of long samples, and where each sample ends.

A batch may be several windows long (`Spec.windows`); a window with nothing in it costs nothing,
because only those that hold something are encoded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from headstart.types import Spec


@dataclass
class Windows:
    """The windows of a batch that hold something.

    x: `[P, ..., L]`. slot: `[P]`, of each window its place among all `B·W` of the batch.
    ends: `[B]`, how many columns each sample has. shape: B and W. size: columns a window.
    """

    x: Tensor
    slot: Tensor
    ends: Tensor
    shape: tuple[int, int]
    size: int

    def joined(self, tokens: Tensor, stride: int) -> tuple[Tensor, Tensor]:
        """Tokens `[P, t, D]` of windows → of samples `[B, W·t, D]`, and which are there, bool.

        stride: columns a token.
        """
        b, w = self.shape
        _, t, d = tokens.shape
        whole = tokens
        if tokens.shape[0] != b * w:
            whole = tokens.new_zeros(b * w, t, d).index_copy(0, self.slot, tokens)
        count = tokens_of(self.ends, self.size, w, stride)
        mask = torch.arange(t, device=tokens.device) < count[:, :, None]  # [B, W, t]
        return whole.view(b, w * t, d), mask.flatten(1)


def windows(x: Tensor, spec: Spec, multiple: int = 0) -> Windows:
    """Samples `[B, ..., W·L]` cut into windows of `spec`'s length; the first always counts.

    multiple: where all fit into one window, it is only as long as the longest needs, in whole
        multiples of so many columns; 0 for networks that need whole windows.
    """
    size = spec.shape[-1]
    b, w = x.shape[0], x.shape[-1] // size  # `len` would make a graph's batch a constant
    ends = lengths(x, spec)
    if w == 1:
        if multiple:
            x = x[..., : -(-int(ends.max()) // multiple) * multiple]
        return Windows(x, torch.arange(b, device=x.device), ends, (b, 1), x.shape[-1])
    parts = x.reshape(*x.shape[:-1], w, size).movedim(-2, 1).flatten(0, 1)  # [B·W, ..., L]
    if torch.compiler.is_exporting():  # one graph for every batch: all windows are encoded
        return Windows(parts, torch.arange(b * w, device=x.device), ends, (b, w), size)
    first = torch.arange(w, device=x.device) * size
    there = (first < ends[:, None]).flatten()
    slot = there.nonzero()[:, 0]
    return Windows(parts[slot], slot, ends, (b, w), size)


def lengths(x: Tensor, spec: Spec) -> Tensor:
    """Columns of each of `[B, ..., L]` up to its last that is not empty: `[B]`, at least 1."""
    size = x.shape[-1]
    if spec.empty is None:
        return torch.full((x.shape[0],), size, device=x.device)
    filled = (x != spec.empty).flatten(1, -2).any(1)  # [B, L]
    behind = filled.flip(1).to(torch.uint8).argmax(1)  # columns after the last filled one
    return torch.where(filled.any(1), size - behind, 1)


def tokens_of(ends: Tensor, size: int, count: int, stride: int) -> Tensor:
    """Tokens of samples that end at `ends` `[B]` in each of `count` windows: `[B, W]`.

    A token is `stride` columns; each window of `size` columns begins with one of its own.
    """
    first = torch.arange(count, device=ends.device) * size
    return ((ends[:, None] - first).clamp(0, size) + stride - 1) // stride


def frames_of(x: Tensor, spec: Spec, stride: int) -> Tensor:
    """Tokens of each of `[B, ..., W·L]`, of all its windows: `[B]`."""
    size = spec.shape[-1]
    return tokens_of(lengths(x, spec), size, x.shape[-1] // size, stride).sum(1)


def inside(x: Tensor, spec: Spec) -> Tensor | None:
    """Which columns of `[B, ..., L]` come before each sample's end; None where they have none."""
    if spec.empty is None:
        return None
    before = torch.arange(x.shape[-1], device=x.device) < lengths(x, spec)[:, None]  # [B, L]
    return before.view(len(x), *[1] * (x.ndim - 2), -1)


def mean_and_max(tokens: Tensor, mask: Tensor) -> Tensor:
    """Tokens `[B, T, D]` that are there → their mean and largest, `[B, 2·D]`."""
    weight = mask.unsqueeze(-1)
    mean = (tokens * weight).sum(1) / weight.sum(1)
    most = tokens.masked_fill(~weight, -torch.inf).amax(1)
    return torch.cat([mean, most], dim=1)
