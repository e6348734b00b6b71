"""A step whose loss or gradient is not finite reaches no weight, and no accelerator waits for it.

On the CPU, asking costs nothing: the optimiser is simply not called. On an accelerator the answer
stays there: fused optimisers take it as `found_inf`, as they do from a gradient scaler, and leave
weights and moments as they are. Running statistics and queues (buffers) are put back as well.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class FiniteGuard:
    """One for a learner and its optimisers.

    asks: whether the host looks at every step; otherwise it knows only after `settle`.
    """

    def __init__(
        self,
        learner: nn.Module,
        optimisers: Iterable[Optimizer],
        device: torch.device,
        *,
        asks: bool | None = None,
    ) -> None:
        can_skip = all(getattr(o, "_step_supports_amp_scaling", False) for o in optimisers)
        self.asks = asks if asks is not None else device.type == "cpu" or not can_skip
        self.sound = torch.ones((), dtype=torch.bool, device=device)
        self._flags: list[Tensor] = []
        self._fresh = self.sound
        self._buffers = [b for b in learner.buffers() if b.is_floating_point()]
        self._before = [b.clone() for b in self._buffers]

    @torch.no_grad()
    def begin(self) -> None:
        """Before the players' turns of a step."""
        self.sound = self._fresh
        if self._buffers:
            torch._foreach_copy_(self._before, self._buffers)

    def step(self, optimiser: Optimizer, loss: Tensor, norm: Tensor) -> bool:
        """Step the optimiser if all was finite so far; False when it is known that it was not."""
        self.sound = self.sound & torch.isfinite(loss + norm)
        if self.asks:
            if not bool(self.sound):
                return False
        else:
            optimiser.grad_scale = None  # type: ignore[attr-defined]
            optimiser.found_inf = (~self.sound).float()  # type: ignore[attr-defined]
        optimiser.step()
        return True

    @torch.no_grad()
    def end(self) -> None:
        """After the last player's turn: put buffers back if the step was not sound."""
        self._flags.append(self.sound)
        if not self.asks:
            for buffer, before in zip(self._buffers, self._before, strict=True):
                buffer.copy_(torch.where(self.sound, buffer, before))
        elif self._buffers and not bool(self.sound):
            torch._foreach_copy_(self._buffers, self._before)

    def settle(self) -> list[bool]:
        """Which of the steps since the last call were sound; here the host waits."""
        flags, self._flags = self._flags, []
        return [bool(f) for f in torch.stack(flags).tolist()] if flags else []
