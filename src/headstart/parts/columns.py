"""What objectives on tables share: columns guessed, and how wrong a guess is."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.parts.measured import blind_error, squared_error
from headstart.types import Features, Spec


def each_member(features: Features) -> tuple[Tensor, int]:
    """Codes `[B · K, D]` of every member of an ensemble, sample by sample, and K."""
    if features.members is None:
        return features.pooled, 1
    return features.members.flatten(0, 1), features.members.shape[1]


class Guesses(nn.Module):
    """A code → what it says of every column: a number each, then logits of each category."""

    def __init__(self, dim: int, spec: Spec, width: int = 256) -> None:
        super().__init__()
        self.stack = nn.Sequential(
            nn.Linear(dim, width),
            nn.ReLU(),
            nn.Linear(width, spec.numbers + sum(spec.cardinalities)),
        )

    def forward(self, code: Tensor) -> Tensor:
        """`[B, dim]` → `[B, numbers + Σ cardinalities]`."""
        return self.stack(code)  # type: ignore[no-any-return]


def column_losses(guess: Tensor, x: Tensor, spec: Spec) -> Tensor:
    """How wrong a guess is of each column of `[B, F]`: `[B, F]`.

    Squared error of numbers, which have variance 1; cross-entropy of a category, as a share of
    what a blind guess among its values would lose: so columns of all kinds count about alike.
    """
    losses = [(guess[:, : spec.numbers] - x[:, : spec.numbers]).square()]
    at = spec.numbers
    for i, count in enumerate(spec.cardinalities):
        codes = x[:, spec.numbers + i].long()
        wrong = F.cross_entropy(guess[:, at : at + count], codes, reduction="none")
        losses.append(wrong[:, None] / math.log(count))
        at += count
    return torch.cat(losses, dim=1)


def likeness(guess: Tensor, x: Tensor, spec: Spec) -> Tensor:
    """How wrong samples given back are: mean squared error, of a mixed sample `column_losses`."""
    if spec.kind == "mixed":
        return column_losses(guess, x, spec).mean()
    return squared_error(guess, x, flagged=spec.flagged)


def blind_loss(x: Tensor, spec: Spec) -> float:
    """The likeness of the best answer that is the same for all of `[B, ...]`.

    The variance of each value; of a category the entropy of its values, as `column_losses` has it.
    """
    if spec.flagged:
        return blind_error(x)
    if spec.kind != "mixed":
        return float(torch.var(x, dim=0, correction=0).mean())
    losses = [x[:, : spec.numbers].var(dim=0, correction=0)]
    for i, count in enumerate(spec.cardinalities):
        share = torch.bincount(x[:, spec.numbers + i].long(), minlength=count) / len(x)
        losses.append(torch.special.entr(share).sum()[None] / math.log(count))
    return float(torch.cat(losses).mean())


def as_samples(guess: Tensor, spec: Spec) -> Tensor:
    """What a decoder says as samples: of a mixed one the likeliest value of each category."""
    if spec.kind != "mixed":
        return guess
    parts = [guess[:, : spec.numbers]]
    for logits in torch.split(guess[:, spec.numbers :], list(spec.cardinalities), dim=1):
        parts.append(logits.argmax(dim=1, keepdim=True).to(guess.dtype))
    return torch.cat(parts, dim=1)
