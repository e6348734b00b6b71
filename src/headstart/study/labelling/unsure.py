"""Further labels, chosen where a model is unsure: but never many of the same kind.

The unsure are often alike: a batch of the most unsure asks the same question again and again. So
more candidates than wanted are taken, clustered with their doubt as weight, and the one nearest
each centre is asked (Zhdanov, 2019, arXiv:1901.05954).
"""

from __future__ import annotations

import torch
from torch import Tensor

from headstart.errors import UserError
from headstart.study.labelling.clusters import kmeans
from headstart.study.labelling.space import Space

CANDIDATES = 10  # for each sample wanted


def margin(space: Space, count: int) -> list[int]:
    """By how close the two likeliest classes are."""
    best = _answers(space, "margin").topk(2, dim=1).values
    return _diverse(space, 1.0 - (best[:, 0] - best[:, 1]), count)


def entropy(space: Space, count: int) -> list[int]:
    """By how the answer is spread over all classes."""
    said = _answers(space, "entropy")
    return _diverse(space, torch.special.entr(said).sum(dim=1), count)


def _answers(space: Space, rule: str) -> Tensor:
    if space.answers is None or space.answers.shape[1] < 2:
        raise UserError(
            f"--rule {rule} needs a run that was fine-tuned for classes.",
            "Choose the first labels with --rule typical, fine-tune, and give that run.",
        )
    return space.answers


def _diverse(space: Space, doubt: Tensor, count: int) -> list[int]:
    """Of the most doubtful, those nearest the centres of their clusters; the most doubtful first.

    doubt: `[N]`, 0 where there is none.
    """
    # Of equals those at random: they would else be neighbours in the file.
    doubt = doubt.clamp(min=0.0) + 1e-6 * torch.rand(len(doubt), generator=space.generator)
    doubt[space.known] = -1.0
    count = min(count, len(space) - len(space.known))
    many = min(CANDIDATES * count, len(space) - len(space.known))
    candidates = doubt.topk(many).indices
    z, weight = space.z[candidates], doubt[candidates].clamp(min=1e-6)
    _, centres = kmeans(z, count, space.generator, weight)
    away = torch.cdist(centres, z)  # [count, many]
    taken: list[int] = []
    for row in away:
        row[taken] = torch.inf
        taken.append(int(row.argmin()))
    taken.sort(key=lambda i: -float(weight[i]))
    return candidates[taken].tolist()
