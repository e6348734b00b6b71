"""Backward for one player, over one process or many, with the mean that `Step.weight` asks for."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Parameter

from headstart import collectives
from headstart.types import Step


def backward(step: Step, parameters: list[Parameter], samples: int) -> Tensor:
    """Leave in `grad` the gradient of the mean loss over all processes; returns that loss.

    Each process's loss is a mean over `Step.weight` terms, so the whole is
    Σ weight · loss / Σ weight. Gradients travel as one flat tensor a player, with loss and weight
    at its end: DistributedDataParallel does not know players, nor weights.

    samples: of this process; it only keeps what is summed near 1.
    """
    if collectives.world_size() == 1:
        step.loss.backward()  # type: ignore[no-untyped-call]
        return step.loss.detach()
    share = step.weight / samples
    loss = step.loss * share
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad for p in parameters if p.grad is not None]
    ends = torch.stack([loss.detach().float(), torch.full_like(loss.detach(), share)])
    flat = torch.cat([*(g.reshape(-1).float() for g in gradients), ends])
    collectives.add_up(flat)
    flat /= flat[-1].clone()
    parts = torch.split(flat[:-2], [g.numel() for g in gradients])
    means = [part.view_as(g) for part, g in zip(parts, gradients, strict=True)]
    torch._foreach_copy_(gradients, means)
    return flat[-2]


def norm_of(parameters: list[Parameter], clip: float | None) -> Tensor:
    """The norm of all gradients together, which are scaled down to `clip` if they exceed it."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros((), device=parameters[0].device if parameters else None)
    norm = torch.nn.utils.get_total_norm(gradients)
    if clip is not None:
        torch.nn.utils.clip_grads_with_norm_(parameters, clip, norm)
    return norm
