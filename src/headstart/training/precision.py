"""Networks in bfloat16, all else in float32.

The matrix products and convolutions of networks are where the time goes, and they bear numbers of
eight binary digits. What a learner makes of its networks' outputs (similarities, covariances,
logarithms, running statistics) does not bear them as well, and neither do small updates of large
weights. So autocast holds within the outermost networks of a learner alone: weights, gradients and
optimisers are float32, networks give float32 back, and no objective need know.
"""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from headstart.parts.learner import Learner
from headstart.tasks.base import Task

_now: torch.device | None = None  # where networks compute in bfloat16 at the moment


class Precision:
    """What a learner's networks compute in while it trains; at any other time float32.

    choice: "fp32", "bf16", or "auto", which is bf16 where it is known to be both faster and safe.
    say: told where bfloat16 was asked for and is slow.
    """

    def __init__(
        self,
        learner: Learner,
        device: torch.device,
        choice: str,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.device = device
        self.half = choice == "bf16" or (choice == "auto" and suits(device))
        if self.half and emulated(device):
            say(
                "this processor has no bfloat16: it is emulated, many times slower than float32;"
                " leave --precision bf16 out"
            )
        self._networks = list(networks(learner)) if self.half else []
        for network in self._networks:
            for name, call in _CALLS.items():
                if hasattr(network, name):
                    # Bound to it, so that a copy of the network calls itself, not the original.
                    setattr(network, name, MethodType(call, network))

    def training(self) -> AbstractContextManager[None]:
        """Within: a forward pass of the training."""
        return _at(self.device) if self.half else nullcontext()

    def end(self) -> None:
        """Leave the networks as they were."""
        for network in self._networks:
            for name in _CALLS:
                network.__dict__.pop(name, None)


def suits(device: torch.device) -> bool:
    """Whether bfloat16 is known to pay there: CUDA devices that have it.

    Not CPUs, even those that have it: see docs/decisions/016.
    """
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def emulated(device: torch.device) -> bool:
    """Whether bfloat16 is made of float32 there, many times slower: x86 without AVX-512."""
    return (
        device.type == "cpu"
        and platform.machine() in ("x86_64", "AMD64")
        and not torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    )


def networks(module: nn.Module) -> Iterator[nn.Module]:
    """The outermost modules that have weights and are no learners, tasks or mere containers."""
    for child in module.children():
        if isinstance(child, Learner | Task | nn.ModuleDict | nn.ModuleList):
            yield from networks(child)
        elif next(child.parameters(), None) is not None:
            yield child


@contextmanager
def _at(device: torch.device) -> Iterator[None]:
    global _now  # noqa: PLW0603 - autocast itself is a state of the thread
    _now = device
    try:
        yield
    finally:
        _now = None


def _call(name: str) -> Callable[..., Any]:
    """A network's own method of that name; in bfloat16 where that is wanted now."""

    def call(self: nn.Module, *inputs: Any, **named: Any) -> Any:
        own = getattr(type(self), name)
        if _now is None:
            return own(self, *inputs, **named)
        with torch.autocast(_now.type, dtype=torch.bfloat16):
            return floats(own(self, *inputs, **named))

    return call


def floats(value: Any) -> Any:
    """The same with its bfloat16 tensors in float32: tensors, sequences, dicts, dataclasses."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype == torch.bfloat16 else value
    if isinstance(value, tuple | list):
        return type(value)(floats(part) for part in value)
    if isinstance(value, dict):
        return {name: floats(part) for name, part in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: floats(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **parts)
    return value


# `encode` is the forward pass of some of a picture's patches (`backbones.patched`), `local` and
# `surrounded` the two halves of one of recordings (`backbones.framed`).
_CALLS = {name: _call(name) for name in ("forward", "encode", "local", "surrounded")}
