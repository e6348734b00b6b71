"""k-means on the CPU: enough for choosing samples."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDS = 25


def kmeans(
    z: Tensor, k: int, generator: torch.Generator, weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Cluster of each sample `[N]`, and the centres `[k, D]`, begun by k-means++.

    z: `[N, D]`; weight: `[N]`, how much each sample counts.
    """
    k = min(k, len(z))
    weight = torch.ones(len(z)) if weight is None else weight
    centres = _begun(z, k, weight, generator)
    belongs = torch.zeros(len(z), dtype=torch.long)
    for round_ in range(ROUNDS):
        before, belongs = belongs, _nearest(z, centres)
        if round_ and torch.equal(before, belongs):
            break
        mass = torch.zeros(k).index_add_(0, belongs, weight)
        total = torch.zeros_like(centres).index_add_(0, belongs, z * weight[:, None])
        full = mass > 0
        centres[full] = total[full] / mass[full, None]
    return belongs, centres


def _begun(z: Tensor, k: int, weight: Tensor, generator: torch.Generator) -> Tensor:
    """Centres drawn far from one another (Arthur and Vassilvitskii, SODA 2007)."""
    first = int(torch.multinomial(weight, 1, generator=generator))
    chosen = [first]
    away = (z - z[first]).pow(2).sum(dim=1)
    for _ in range(k - 1):
        chance = away * weight
        if float(chance.sum()) <= 0:  # no more samples that differ
            chance = weight
        one = int(torch.multinomial(chance, 1, generator=generator))
        chosen.append(one)
        away = torch.minimum(away, (z - z[one]).pow(2).sum(dim=1))
    return z[torch.tensor(chosen)].clone()


def _nearest(z: Tensor, centres: Tensor) -> Tensor:
    length = centres.pow(2).sum(dim=1)
    parts = [(length - 2 * part @ centres.T).argmin(dim=1) for part in torch.split(z, 4096)]
    return torch.cat(parts)
