"""Muon for whole networks: PyTorch's takes matrices only; the rest gets AdamW.

Muon (Jordan et al., 2024; scaled as by Liu et al., 2025, arXiv:2502.16982, so that AdamW's usual
rate and decay serve) orthogonalises the momentum of a matrix. A convolution's kernel
`[out, in, h, w]` is the matrix `[out, in·h·w]`. Biases, norms and other vectors have no such
direction.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer


class MuonWithAdamW(Optimizer):
    """One optimiser to the engine, two beneath: `torch.optim.Muon` and `torch.optim.AdamW`.

    groups: parameter groups; each is split by whether a parameter has more than one dimension.
    options: further arguments of `torch.optim.Muon`.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float = 1e-3, **options: Any) -> None:
        split = [
            {**group, "params": [p for p in group["params"] if (p.ndim > 1) == is_matrix],
             "is_matrix": is_matrix}
            for group in groups for is_matrix in (True, False)
        ]  # fmt: skip
        super().__init__([group for group in split if group["params"]], {"lr": lr})
        # Muon wants 2-D parameters: each kernel has a stand-in of that shape, filled every step.
        self._stand_ins = {
            p: Parameter(p.detach().flatten(1).clone())
            for group in self.param_groups
            if group["is_matrix"]
            for p in group["params"]
        }
        options.setdefault("adjust_lr_fn", "match_rms_adamw")
        matrices, vectors = self._inner(is_matrix=True), self._inner(is_matrix=False)
        self._muon = torch.optim.Muon(matrices, lr, **options) if matrices else None
        self._adamw = torch.optim.AdamW(vectors, lr) if vectors else None

    def _inner(self, *, is_matrix: bool) -> list[dict[str, Any]]:
        return [
            {
                "params": [self._stand_ins.get(p, p) for p in group["params"]],
                **({"weight_decay": group["weight_decay"]} if "weight_decay" in group else {}),
            }
            for group in self.param_groups
            if group["is_matrix"] == is_matrix
        ]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient, at its group's `lr`."""
        assert closure is None, "the engine computes gradients before it steps"
        for parameter, stand_in in self._stand_ins.items():
            stand_in.copy_(parameter.flatten(1))
            gradient = parameter.grad
            stand_in.grad = None if gradient is None else gradient.flatten(1)
        for inner, is_matrix in ((self._muon, True), (self._adamw, False)):
            if inner is None:
                continue
            own = [group for group in self.param_groups if group["is_matrix"] == is_matrix]
            for group, below in zip(own, inner.param_groups, strict=True):
                below["lr"] = group["lr"]
            inner.step()  # type: ignore[no-untyped-call]
        for parameter, stand_in in self._stand_ins.items():
            parameter.copy_(stand_in.view(parameter.shape))
            stand_in.grad = None

    def state_dict(self) -> dict[str, Any]:
        """The groups, and both inner states."""
        inner = {"muon": self._muon, "adamw": self._adamw}
        return {
            **super().state_dict(),
            **{name: one.state_dict() for name, one in inner.items() if one is not None},
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What `state_dict` gave."""
        super().load_state_dict({k: state_dict[k] for k in ("state", "param_groups")})
        for name, inner in (("muon", self._muon), ("adamw", self._adamw)):
            if inner is not None:
                inner.load_state_dict(state_dict[name])
