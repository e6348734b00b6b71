"""The graph of neighbours from which self-training learns: who is near whom, by what is known.

Neighbours are alike in what the encoder sees and in what the modality's classical description sees
(`Modality.describe`). The two err in different places: on MNIST, with a hundred labels, spreading
by either is wrong about 1.5 to 2 times as often as by both (benchmarks/RESULTS.md).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from headstart.backbones.base import Backbone
from headstart.data.loader import Loader
from headstart.modalities.base import Modality
from headstart.tasks.self_training import UNLABELLED, LabelGraph
from headstart.tasks.spreading import evened, neighbours, spread_labels
from headstart.types import Batch
from headstart.workflows.loaded import at_once

MOST = 200_000  # samples: all pairs are compared


def neighbourhood(
    modality: Modality,
    few: Loader,
    rest: Loader,
    prior: Tensor,
    *,
    pretrained: bool,
    say: Callable[[str], None],
) -> LabelGraph | None:
    """What spreads the labels of `few` to `rest`; None where nothing can tell neighbours.

    prior: share of each class, `[K]`; pretrained: whether the encoder sees something from the
    beginning.
    """
    samples = len(few) + len(rest)
    if samples > MOST:
        say(
            f"no graph of neighbours: all pairs are compared, of at most {MOST:,} samples, and here"
            f" are {samples:,}"
        )
        return None
    described = next(iter(few.in_order(1)))[0]
    if not pretrained and modality.describe(described) is None:
        return None

    at_first: list[Tensor] = []  # a run that time decides asks for it once more than others

    @torch.no_grad()
    def graph(encoder: Backbone, *, first: bool) -> Tensor:
        if first and at_first:
            return at_first[0]
        sees = encoder if pretrained or not first else None
        here, y, _ = _described(modality, few, sees, prior.device)
        there, _, rows = _described(modality, rest, sees, prior.device)
        near = neighbours([torch.cat(pair) for pair in zip(here, there, strict=True)])
        found = evened(
            spread_labels(near, torch.cat([y, rows.new_full(rows.shape, -1)]), len(prior)), prior
        )
        sure, answers = found[len(y) :].max(dim=1)
        say(
            f"labels spread over a graph of {samples:,} samples;"
            f" {float((sure > 0.9).float().mean()):.0%} of the answers are above 90 %"
        )
        guesses = torch.zeros(len(rest), dtype=torch.long, device=prior.device)
        guesses[rows] = answers  # what cannot be read is never drawn
        if first:
            at_first.append(guesses)
        return guesses

    return graph


def _described(
    modality: Modality, loader: Loader, encoder: Backbone | None, device: torch.device
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Descriptions `[N, D_i]` of the readable samples, their targets, and which rows they are."""
    columns: list[Tensor] = []  # [len(loader), D_i], allocated once: kept beside what passes
    targets: list[Tensor] = []
    read = 0
    learning = encoder is not None and encoder.training
    if encoder is not None:
        encoder.eval()
    for x, y in loader.in_order(at_once(modality.spec)):
        assert y is not None
        raw = x.to(device)
        seen = [] if encoder is None else [encoder(Batch(modality.prepare(raw))).pooled.float()]
        classical = modality.describe(raw)
        found = seen if classical is None else [*seen, classical]
        columns = columns or [d.new_empty(len(loader), d.shape[1]) for d in found]
        for column, d in zip(columns, found, strict=True):
            column[read : read + len(d)] = d
        read += len(raw)
        targets.append(y.to(device))
    if encoder is not None:
        encoder.train(learning)
    y = torch.cat(targets)
    return [column[:read] for column in columns], y, UNLABELLED - y
