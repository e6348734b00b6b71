"""Where to compute, and with how many threads."""

from __future__ import annotations

import os

import torch

from headstart import processes
from headstart.data.memory import processors
from headstart.errors import UserError

LONG_RUN = 10_000  # steps from which compiling repays itself


def pick(name: str) -> torch.device:
    """The device of that name; `auto` takes an accelerator where there is one.

    Each of several processes on a machine takes one of its own.

    Raises:
        UserError: PyTorch has no such device here.
    """
    if name == "auto":
        if torch.accelerator.is_available():
            found = torch.accelerator.current_accelerator()
            if found is not None:
                own = processes.own_local_rank() if processes.launched() > 1 else found.index
                return torch.device(found.type, own)
        return torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"--device {name} cannot be used here: {reason}", "Try --device auto."
        ) from error
    return device


def compiles(choice: str, device: torch.device, steps: int) -> bool:
    """Whether to compile a training of so many steps.

    Compiling takes half a minute to minutes. On two CPU cores the compiled step of a convolutional
    network was slower than the eager one (978 against 1,182 pictures a second), so `auto` compiles
    for CUDA alone.
    """
    if choice == "auto":
        return device.type == "cuda" and steps >= LONG_RUN
    return choice == "on"


def use_threads(count: int | None) -> int:
    """Let PyTorch use `count` threads, or as many as this process may."""
    count = count or available_threads()
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)
    return count


def available_threads() -> int:
    """Processors this process may use, at most OMP_NUM_THREADS."""
    cores = processors()
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and int(told) > 0:
        cores = min(cores, int(told))
    return cores
