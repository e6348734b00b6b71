"""Gradients of one player, over parts of a batch and over processes, with the mean that
`Step.weight` asks for.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Parameter

from headstart import collectives
from headstart.errors import UserError
from headstart.parts.learner import Learner
from headstart.types import Batch, Step


class Gradient:
    """Leaves in `grad` the gradient of the mean loss over all parts of a batch and all processes.

    Each part's loss is a mean over `Step.weight` terms, so the whole is
    Σ weight · loss / Σ weight. Between processes gradients travel as one flat tensor a player, with
    loss and weight at its end: DistributedDataParallel does not know players, nor weights.

    samples: of this process; it only keeps what is summed near 1.
    averaged: whether the backward pass has averaged gradients over processes (`fsdp`).
    """

    def __init__(
        self, parameters: list[Parameter], samples: int, parts: int, *, averaged: bool = False
    ) -> None:
        self._parameters = parameters
        self._samples = samples
        self._alone = collectives.world_size() == 1 and parts == 1
        self._averaged = averaged
        self._loss: Tensor | None = None
        self._share = 0.0

    def add(self, step: Step) -> None:
        """Backward through one part."""
        share = 1.0 if self._alone else step.weight / self._samples
        loss = step.loss if self._alone else step.loss * share
        torch.autograd.backward(loss)
        self._loss = loss.detach() if self._loss is None else self._loss + loss.detach()
        self._share += share

    def finish(self) -> Tensor:
        """Make a mean of the sums; returns the mean loss."""
        assert self._loss is not None
        if self._alone:
            return self._loss
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        if collectives.world_size() == 1:
            torch._foreach_div_(gradients, self._share)
            return self._loss / self._share
        ends = torch.stack([self._loss.float(), torch.full_like(self._loss, self._share)])
        if self._averaged:
            collectives.add_up(ends)
            torch._foreach_div_(gradients, ends[1] / collectives.world_size())
            return ends[0] / ends[1]
        flat = torch.cat([*(g.reshape(-1).float() for g in gradients), ends])
        collectives.add_up(flat)
        flat /= flat[-1].clone()
        parts = torch.split(flat[:-2], [g.numel() for g in gradients])
        torch._foreach_copy_(
            gradients, [part.view_as(g) for part, g in zip(parts, gradients, strict=True)]
        )
        return flat[-2]


def cut(batch: Batch, parts: int) -> list[Batch]:
    """A batch in `parts` of about equal size, each with all views of its samples."""
    if parts == 1:
        return [batch]
    by_view = batch.x.view(batch.views, len(batch), *batch.x.shape[1:])  # [V, B, ...]
    return [
        Batch(
            x.flatten(0, 1),
            None if batch.y is None else y,
            batch.views,
            None if batch.clean is None else clean,
            None if batch.frames is None else frames,
        )
        for x, y, clean, frames in zip(
            by_view.chunk(parts, dim=1),
            (batch.x if batch.y is None else batch.y).chunk(parts),
            (batch.x if batch.clean is None else batch.clean).chunk(parts),
            (batch.x if batch.frames is None else batch.frames).chunk(parts),
            strict=False,
        )
    ]


def check_cut(learner: Learner, parts: int) -> None:
    """Refuse to cut batches that must stay whole.

    Raises:
        UserError: the learner compares samples of a batch.
    """
    if parts > 1 and (learner.views > 1 or learner.compares):
        raise UserError(
            "training.accumulate cuts batches into parts, and this objective compares the samples"
            " of a batch with one another: its loss would be another one.",
            "Leave training.accumulate at 1, and choose a smaller --batch-size.",
        )


def check_shared(batch_size: int) -> None:
    """Raises:
    UserError: the processes cannot have equal shares of a batch.
    """
    processes = collectives.world_size()
    if batch_size % processes:
        raise UserError(
            f"a batch of {batch_size} samples cannot be shared equally by {processes} processes.",
            "Choose another --batch-size; it counts the samples of all processes together.",
        )


def norm_of(parameters: list[Parameter], clip: float | None, *, apart: bool = False) -> Tensor:
    """The norm of all gradients together, which are scaled down to `clip` if they exceed it.

    apart: whether each process holds a part of them.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros((), device=parameters[0].device if parameters else None)
    # `get_total_norm` sorts them by device and kind first, which costs a small network as much.
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    if apart:
        squares = norm.square()
        collectives.add_up(squares)
        norm = squares.sqrt()
    if clip is not None:
        torch.nn.utils.clip_grads_with_norm_(parameters, clip, norm)
    return norm
