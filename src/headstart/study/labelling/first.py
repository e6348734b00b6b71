"""The first labels, chosen where no model knows anything: what is typical, what is not yet covered.

Every rule takes a `Space` and gives positions in the order in which to label them, none of them
labelled before.
"""

from __future__ import annotations

import torch
from torch import Tensor

from headstart.study.labelling.clusters import kmeans
from headstart.study.labelling.space import Space

NEIGHBOURS = 20  # by whose nearness a sample is typical, as in TypiClust
MOST_CLUSTERS = 500
REACH = 0.3  # of the cover: the deviation of its kernel, as a share of the usual distance


def at_random(space: Space, count: int) -> list[int]:
    """Any samples, all as likely."""
    order = torch.randperm(len(space), generator=space.generator).tolist()
    known = set(space.known)
    return [i for i in order if i not in known][:count]


def covering(space: Space, count: int) -> list[int]:
    """Greedy cover: each sample chosen raises Σᵢ maxₛ exp(−d(i, s)² / 2r²) the most.

    The sum says how well every sample has a labelled one nearby; a greedy choice comes within
    1 − 1/e of the best possible (Nemhauser et al., 1978), as it is submodular. Soft balls in place
    of ProbCover's, and no number of clusters to set: the radius falls as labels grow, for it is
    the usual distance to the nearest of so many samples.
    """
    gains = _likeness(space, count + len(space.known))
    covered = torch.zeros(len(space))
    for one in space.known:
        covered = torch.maximum(covered, gains[one])
    chosen: list[int] = []
    taken = torch.zeros(len(space), dtype=torch.bool)
    taken[space.known] = True
    for _ in range(min(count, len(space) - len(space.known))):
        gain = torch.cat(
            [(part - covered).clamp(min=0).sum(dim=1) for part in torch.split(gains, 1024)]
        )
        gain[taken] = -1.0
        best = int(gain.argmax())
        chosen.append(best)
        taken[best] = True
        covered = torch.maximum(covered, gains[best])
    return chosen


def _likeness(space: Space, labels: int) -> Tensor:
    """How far each sample speaks for each other, `[N, N]`, by a kernel of the fitting width."""
    some = torch.randperm(len(space), generator=space.generator)[:labels]
    usual = space.squared(some).amin(dim=0).median()  # to the nearest of so many
    width = (REACH * usual).clamp(min=1e-6)
    return torch.cat([torch.exp(-squared / (2 * width)) for _, squared in space.chunks()])


def typical(space: Space, count: int) -> list[int]:
    """The densest sample of each cluster that has no label yet, the largest clusters first.

    TypiClust (Hacohen et al., ICML 2022, arXiv:2202.02794): as many clusters as there will be
    labels, at most 500; typicality is one over the mean distance to the 20 nearest of the cluster.
    """
    k = min(len(space.known) + count, MOST_CLUSTERS, len(space))
    belongs, _ = kmeans(space.z, k, space.generator)
    size = torch.bincount(belongs, minlength=k)
    labelled = torch.bincount(belongs[space.known], minlength=k)
    taken = set(space.known)
    chosen: list[int] = []
    while len(chosen) < count and len(taken) < len(space):
        # The fewest labels, then the most samples; small clusters are noise.
        order = sorted(range(k), key=lambda c: (int(labelled[c]), -int(size[c])))
        order = [c for c in order if size[c] > 5] + [c for c in order if size[c] <= 5]
        for cluster in order:
            members: list[int] = torch.nonzero(belongs == cluster)[:, 0].tolist()
            left = [i for i in members if i not in taken]
            if left:
                one = _densest(space.z, members, left)
                chosen.append(one)
                taken.add(one)
                labelled[cluster] += 1
                break
        else:
            break
    return chosen


def _densest(z: Tensor, members: list[int], left: list[int]) -> int:
    few = z[members]
    away = torch.cdist(z[left], few)
    k = min(NEIGHBOURS + 1, len(members))  # itself is among them, at no distance
    mean = away.topk(k, dim=1, largest=False).values.sum(dim=1) / max(1, k - 1)
    return left[int(mean.argmin())]


def far(space: Space, count: int) -> list[int]:
    """The sample farthest from all labelled and chosen ones, again and again.

    k-centre greedy (Sener and Savarese, ICLR 2018, arXiv:1708.00489): within twice the best
    possible radius. Without a label it begins at the sample nearest the middle.
    """
    away = torch.full((len(space),), torch.inf)
    for one in space.known:
        away = torch.minimum(away, space.squared(torch.tensor([one]))[0])
    chosen: list[int] = []
    for _ in range(min(count, len(space) - len(space.known))):
        if not space.known and not chosen:
            one = int((space.z - space.z.mean(dim=0)).pow(2).sum(dim=1).argmin())
        else:
            one = int(away.argmax())
        chosen.append(one)
        away = torch.minimum(away, space.squared(torch.tensor([one]))[0])
        away[[*space.known, *chosen]] = -1.0
    return chosen
