"""How far samples that were made are from real ones, and how much they differ among themselves."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 8  # pixels a side to which pictures are reduced before they are compared


def frechet_distance(one: Tensor, other: Tensor) -> Tensor:
    """Squared Fréchet distance of the normal distributions that fit `[N, D]` and `[M, D]`.

    |m - m'|² + tr(S + S' - 2 (S S')^½) with the unbiased estimates of the covariances (Heusel et
    al., 2017, arXiv:1706.08500, eq. 6). The trace of the root is that of (S^½ S' S^½)^½, whose
    argument is symmetric: no complex numbers.
    """
    one, other = one.double(), other.double()
    between = (one.mean(dim=0) - other.mean(dim=0)).square().sum()
    s1, s2 = _covariance(one), _covariance(other)  # [D, D] each
    values, vectors = torch.linalg.eigh(s1)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ s2 @ root).clamp(min=0).sqrt().sum()
    distance: Tensor = between + s1.trace() + s2.trace() - 2 * overlap
    return distance


def _covariance(x: Tensor) -> Tensor:
    centred = x - x.mean(dim=0)
    return centred.T @ centred / max(len(x) - 1, 1)


def diversity(x: Tensor) -> Tensor:
    """Mean distance between two different samples of `[N, ...]`; 0 where there are not two."""
    if len(x) < 2:
        return torch.zeros((), device=x.device)
    return torch.pdist(x.flatten(1).float()).mean()


def reduced(x: Tensor) -> Tensor:
    """Samples as short vectors `[N, D]`: pictures `[N, C, H, W]` at 8×8 pixels, others flat.

    The network that is judged has no say in these features, and runs can be compared by them.
    """
    if x.ndim == 4 and max(x.shape[2:]) > SIDE:
        x = F.adaptive_avg_pool2d(x, SIDE)
    return x.flatten(1)
