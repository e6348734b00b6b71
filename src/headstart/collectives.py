"""What several processes do together; with one process each function costs nothing.

Every process is assumed to hold the same number of rows. A loss over gathered rows is computed by
every process alike; averaged over processes, its gradient is the one that a single process would
find on the whole batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def world_size() -> int:
    """How many processes work together."""
    import torch.distributed as dist

    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0."""
    import torch.distributed as dist

    return dist.get_rank() if world_size() > 1 else 0


def gather(x: Tensor) -> Tensor:
    """The rows of all processes in the order of ranks: `[B, ...]` → `[W * B, ...]`, differentiable.

    Backwards, a process receives the sum of what all processes ask of its rows.
    """
    if world_size() == 1:
        return x
    import torch
    from torch.distributed.nn.functional import all_gather

    return torch.cat(all_gather(x.contiguous()))  # type: ignore[no-untyped-call]


def sum_over_processes(x: Tensor) -> Tensor:
    """The sum of a tensor over processes, differentiable: gradients are summed as well."""
    if world_size() == 1:
        return x
    from torch.distributed.nn.functional import all_reduce

    total: Tensor = all_reduce(x)  # type: ignore[no-untyped-call]
    return total


def mean_over_processes(x: Tensor) -> Tensor:
    """The mean of a detached tensor over processes; all receive it."""
    if world_size() == 1:
        return x
    import torch.distributed as dist

    total = x.detach().clone()
    dist.all_reduce(total)
    return total / world_size()
