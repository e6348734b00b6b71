"""What processes tell each other; with one process each function costs nothing.

`join` lets the processes of `torchrun` or `accelerate launch` meet. All of them draw the same
random numbers: what is drawn for a batch is drawn for the global batch, and each process takes
its own rows (`local`, `randn_like`), so that together they compute what one process would.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from headstart import processes

_apart = 0  # how many `apart()` blocks this process is inside of


def join(device: torch.device) -> None:
    """Meet the other processes, if any were started: by gloo, and NCCL for what is on CUDA."""
    if processes.launched() == 1 or dist.is_initialized():
        return
    if device.type == "cuda":
        dist.init_process_group("cpu:gloo,cuda:nccl", device_id=device)
    else:
        dist.init_process_group("gloo")
    atexit.register(_leave)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def world_size() -> int:
    """How many processes work together here and now."""
    if _apart or not dist.is_available() or not dist.is_initialized():
        return 1
    return dist.get_world_size()


def rank() -> int:
    """Which of them this is, from 0."""
    return 0 if world_size() == 1 else dist.get_rank()


@contextmanager
def apart() -> Iterator[None]:
    """Within, every process works as if it were alone: for validation, which all do alike."""
    global _apart  # noqa: PLW0603 - the process group is a global of PyTorch's too
    _apart += 1
    try:
        yield
    finally:
        _apart -= 1


def gather(x: Tensor) -> Tensor:
    """The rows of all processes, `[B, ...]` → `[W * B, ...]` in the order of ranks.

    Differentiable. Every process has the same number of rows, and in the backward pass receives
    the sum of what all processes ask of its rows: a loss over the gathered rows, computed
    everywhere, has, averaged over processes, the gradient that one process would find.
    """
    if world_size() == 1:
        return x
    gathered: Tensor = _Gather.apply(x)  # type: ignore[no-untyped-call]
    return gathered


def sum_over_processes(x: Tensor) -> Tensor:
    """The sum of `x` over processes; differentiable: gradients are summed as well."""
    if world_size() == 1:
        return x
    total: Tensor = _Sum.apply(x)  # type: ignore[no-untyped-call]
    return total


def mean_over_processes(x: Tensor) -> Tensor:
    """The mean of `x` over processes, without gradients."""
    if world_size() == 1:
        return x
    total = x.detach().clone()
    add_up(total)
    return total / world_size()


def add_up(x: Tensor) -> None:
    """Replace `x` by its sum over processes, in place, without gradients."""
    if world_size() > 1:
        dist.all_reduce(x)


def local(x: Tensor, groups: int = 1) -> Tensor:
    """This process's rows of the global batch `[groups * B, ...]`, of each group the same."""
    if world_size() == 1:
        return x
    grouped = x.reshape(groups, -1, *x.shape[1:])  # [G, B, ...]
    share = grouped.shape[1] // world_size()
    return grouped[:, rank() * share : (rank() + 1) * share].flatten(0, 1)


def randn_like(x: Tensor, groups: int = 1) -> Tensor:
    """Normal numbers shaped as `x`: this process's rows of those drawn for the global batch."""
    draw = torch.randn(len(x) * world_size(), *x.shape[1:], dtype=x.dtype, device=x.device)
    return local(draw, groups)


def rand_like(x: Tensor, groups: int = 1) -> Tensor:
    """Numbers in [0, 1) shaped as `x`: this process's rows of those drawn for the global batch."""
    draw = torch.rand(len(x) * world_size(), *x.shape[1:], dtype=x.dtype, device=x.device)
    return local(draw, groups)


def from_first(value: Any) -> Any:
    """What the first process holds, for all: plain values, or tensors on the CPU."""
    if world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def largest(*values: int) -> list[int]:
    """The largest of the processes' numbers, one by one."""
    if world_size() == 1:
        return list(values)
    box = torch.tensor(values)
    dist.all_reduce(box, op=dist.ReduceOp.MAX)
    return [int(value) for value in box]


class _Gather(torch.autograd.Function):
    """All rows forward; backward the sum of all gradients for one's own rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.rows = len(x)
        x = x.contiguous()
        parts = [torch.empty_like(x) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, x)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        begin = dist.get_rank() * ctx.rows
        return total[begin : begin + ctx.rows]


class _Sum(torch.autograd.Function):
    """The sum of all processes, both ways."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004 - autograd's face
        total = x.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004 - autograd's face
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total
