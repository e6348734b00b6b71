"""Columns of a mixed sample as one flat vector: numbers piece by piece, categories one-hot.

The piecewise-linear encoding is that of Gorishniy et al., 2022 (arXiv:2203.05556): a number is cut
at quantiles of train, and each piece says how much of it lies below the number. A linear layer on
top of it is a piecewise-linear function of the number, which plain numbers need depth for.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.types import Spec

WIDEST = 64  # values of a category up to which it is one-hot; beyond, it has a vector


class Encoded(nn.Module):
    """`[B, F]` → `[B, E]`.

    dim: E. columns: `[E]`, the column that each number of the vector comes from.
    bins: pieces of a number, at most; 0 leaves numbers as they are.
    width: of the vectors of categories that have too many values to be one-hot.
    """

    low: Tensor  # [M, T] where each piece begins
    span: Tensor  # [M, T] and how long it is
    floor: Tensor  # [M, T] how little of each may be filled
    ceiling: Tensor  # [M, T] and how much: pieces at the two ends go on without end
    piece: Tensor  # [P] which of the [M * T] there are
    columns: Tensor

    def __init__(self, spec: Spec, bins: int, width: int = 16) -> None:
        super().__init__()
        self.numbers = spec.numbers
        self.cardinalities = spec.cardinalities
        low, span, there = pieces(spec.edges, bins)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("span", span, persistent=False)
        first, last = first_and_last(there)
        self.register_buffer("floor", torch.where(first, -torch.inf, 0.0), persistent=False)
        self.register_buffer("ceiling", torch.where(last, torch.inf, 1.0), persistent=False)
        self.register_buffer("piece", there.flatten().nonzero()[:, 0], persistent=False)
        self.vectors = nn.ModuleDict(
            {
                str(i): nn.Embedding(count, width)
                for i, count in enumerate(spec.cardinalities)
                if count > WIDEST
            }
        )
        for embedding in self.vectors.values():
            nn.init.normal_(embedding.weight, std=width**-0.5)  # type: ignore[arg-type]
        of = [torch.arange(self.numbers)]
        of.append(torch.arange(len(low)).repeat_interleave(there.sum(dim=1)))
        for i, count in enumerate(spec.cardinalities):
            of.append(torch.full((width if count > WIDEST else count,), self.numbers + i))
        self.register_buffer("columns", torch.cat(of), persistent=False)
        self.dim = len(self.columns)

    def forward(self, x: Tensor) -> Tensor:
        """Plain numbers, their pieces, categories."""
        plain, codes = x[:, : self.numbers], x[:, self.numbers :].long()
        parts = [plain]
        if len(self.piece):
            filled = (plain[:, :, None] - self.low) / self.span  # [B, M, T]
            filled = torch.maximum(torch.minimum(filled, self.ceiling), self.floor)
            parts.append(filled.flatten(1)[:, self.piece])
        for i, count in enumerate(self.cardinalities):
            if count > WIDEST:
                parts.append(self.vectors[str(i)](codes[:, i]))
            else:
                parts.append(F.one_hot(codes[:, i], count).to(x.dtype))
        return torch.cat(parts, dim=1)


def pieces(edges: Sequence[Sequence[float]], bins: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where the pieces of each of M numbers begin, how long they are, and which there are.

    Each `[M, T]`; a number with fewer pieces than others is filled up.
    """
    chosen = [coarser(own, bins) for own in edges]
    most = max((len(own) - 1 for own in chosen if own), default=0)
    low, span = torch.zeros(len(edges), most), torch.ones(len(edges), most)
    there = torch.zeros(len(edges), most, dtype=torch.bool)
    for i, own in enumerate(chosen):
        if not own:
            continue
        cut = torch.tensor(own)
        low[i, : len(own) - 1] = cut[:-1]
        span[i, : len(own) - 1] = cut.diff()
        there[i, : len(own) - 1] = True
    return low, span, there


def coarser(edges: Sequence[float], bins: int) -> list[float]:
    """At most `bins` parts of those that edges make, the outermost edges always among them."""
    if bins < 1:
        return []
    parts = len(edges) - 1
    if parts <= bins:
        return list(edges)
    return [edges[round(i * parts / bins)] for i in range(bins + 1)]


def first_and_last(there: Tensor) -> tuple[Tensor, Tensor]:
    """Of `[M, T]`: which pieces go on below, and which above what train has."""
    place = torch.arange(there.shape[1])
    count = there.sum(dim=1, keepdim=True)
    return there & (place == 0), there & (place == count - 1)
