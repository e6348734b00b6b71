"""Label spreading: labels flow to the unlabelled along a graph of neighbours.

"Learning with local and global consistency" (Zhou et al., 2004, NIPS 16): with W the similarities
of neighbours, S = D^(−1/2) W D^(−1/2) and Y the labels, iterate F ← α S F + (1 − α) Y. A sample
need not be like any labelled one, only be linked to it by samples that are alike in steps. Whether
that goes well is a matter of what neighbours are: here they are close by several descriptions
together (what a pre-trained encoder sees, what a classical description sees), each whitened, so
that no direction of one drowns the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

DIRECTIONS = 64  # of each description
CHUNK = 500  # rows compared with all others at a time
PASSED = 4_096  # rows taken as doubles at a time


@dataclass(frozen=True)
class Neighbours:
    """The nearest of each sample, and how like it they are: `[N, k]` each."""

    index: Tensor
    likeness: Tensor


def whitened(x: Tensor, directions: int = DIRECTIONS) -> Tensor:
    """Unit vectors along the main directions, their deviations drawn halfway to equal.

    A learned space keeps most of its variance in a few directions; cosines in it would see little
    else. Whitened wholly, on the other hand, noise would weigh as much as signal: each direction is
    divided by the square root of its deviation. `[N, D]` → `[N, min(D, directions)]`.
    """
    parts = torch.split(x, PASSED)  # doubles of all at once would take several times what x does
    mean = sum(part.double().sum(dim=0) for part in parts) / len(x)
    scatter = sum((apart := part.double() - mean).T @ apart for part in parts)  # [D, D]
    variance, axes = torch.linalg.eigh(scatter / len(x))  # ascending
    kept = slice(max(0, len(variance) - directions), None)
    deviation = variance[kept].clamp(min=1e-12).sqrt()
    scale = torch.where(deviation > 1e-5 * deviation[-1], deviation.rsqrt(), 0.0)
    turned = axes[:, kept] * scale
    out = x.new_empty(len(x), turned.shape[1], dtype=torch.float32)
    for part, whole in zip(parts, torch.split(out, PASSED), strict=True):
        whole.copy_(F.normalize(((part.double() - mean) @ turned).float(), dim=1))
    return out


def neighbours(descriptions: Sequence[Tensor], k: int = 5) -> Neighbours:
    """The `k` most alike of each sample, by the mean cosine over descriptions `[N, D_i]`.

    All pairs are compared: time grows with N², memory with N.
    """
    space = torch.cat([whitened(d) for d in descriptions], dim=1)
    space = space / len(descriptions) ** 0.5  # unit vectors again
    k = min(k, len(space) - 1)
    # Allocated once: what is kept must not lie between what passes, for the heap is not given back
    # while a run trains, and holes that nothing fits into would add up.
    index = torch.empty(len(space), k, dtype=torch.long, device=space.device)
    likeness = space.new_empty(len(space), k)
    cosines = space.new_empty(min(CHUNK, len(space)), len(space))
    for start in range(0, len(space), CHUNK):
        part = space[start : start + CHUNK]
        cosine = torch.mm(part, space.T, out=cosines[: len(part)])  # [chunk, N]
        rows = torch.arange(len(cosine), device=space.device)
        cosine[rows, start + rows] = -2.0  # not itself
        best = cosine.topk(k, dim=1)
        index[start : start + CHUNK], likeness[start : start + CHUNK] = best.indices, best.values
    return Neighbours(index, likeness)


def spread_labels(
    near: Neighbours, y: Tensor, classes: int, *, alpha: float = 0.99, rounds: int = 60
) -> Tensor:
    """Probabilities of each class for every sample, `[N, classes]`, from the labels of a few.

    y: `[N]`, below 0 where there is no label. Weights are likenesses to the power 3, and
    neighbourhood is mutual: W + Wᵀ. A sample that no label reaches gets even chances.
    """
    weight = near.likeness.clamp(min=0).pow(3)
    degree = weight.sum(dim=1).index_add(0, near.index.flatten(), weight.flatten())
    scale = degree.clamp(min=1e-12).rsqrt()
    weight = weight * scale[:, None] * scale[near.index]
    known = y >= 0
    labels = torch.zeros(len(y), classes, device=y.device)
    labels[known, y[known]] = 1.0
    found = labels.clone()
    for _ in range(rounds):
        onwards = torch.zeros_like(found)
        for j in range(near.index.shape[1]):  # one neighbour at a time: memory stays [N, classes]
            onwards += weight[:, j, None] * found[near.index[:, j]]
            onwards.index_add_(0, near.index[:, j], weight[:, j, None] * found)
        found = alpha * onwards + (1 - alpha) * labels
    total = found.sum(dim=1, keepdim=True)
    return torch.where(total > 0, found / total.clamp(min=1e-30), 1 / classes)


def evened(answers: Tensor, prior: Tensor, rounds: int = 30) -> Tensor:
    """Probabilities `[N, K]` tilted until each class has its share of all samples, `prior` `[K]`.

    Alternating scaling of columns and rows (Sinkhorn and Knopp, 1967, doi:10.2140/pjm.1967.21.343):
    classes whose labels happen to lie centrally would otherwise spread over others' ground.
    """
    for _ in range(rounds):
        answers = answers * (prior / answers.mean(dim=0).clamp(min=1e-12))
        answers = answers / answers.sum(dim=1, keepdim=True).clamp(min=1e-30)
    return answers
