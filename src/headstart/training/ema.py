"""A moving average of all weights: what is judged and kept instead of the last ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class MovingAverage:
    """average ← keep · average + (1 - keep) · weights, after every step.

    keep: its limit; a young average follows closely, or the untrained beginning would weigh long.
    """

    def __init__(self, module: nn.Module, keep: float) -> None:
        self.keep = keep
        self.weights = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights after `step` steps."""
        keep = min(self.keep, (1 + step) / (10 + step))
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, 1 - keep)
            else:
                self.weights[name].copy_(value)

    def take(self, module: nn.Module) -> None:
        """Leave the average in the module."""
        module.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """The average."""
        return {"weights": self.weights}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Take up what `state_dict` gave."""
        self.weights = {k: v.to(device) for k, v in state["weights"].items()}

    def swap(self, module: nn.Module) -> None:
        """Exchange the module's weights and the average."""
        own = {k: v.clone() for k, v in module.state_dict().items()}
        module.load_state_dict(self.weights)
        self.weights = own
