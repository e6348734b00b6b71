"""Linear layers and rectifiers in a row as one step of autograd.

In a stack as narrow as the article's, the sums take less time than what is around them: a node of
autograd and a module call a layer. Here the whole stack is one node, whose backward pass is written
out. With W_i, b_i the i-th layer's and h_i = max(0, h_{i−1} W_iᵀ + b_i),

    ∂W_i = gᵀ h_{i−1},   ∂b_i = Σ_batch g,   g ← (g W_i) · [h_{i−1} > 0].
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Dense:
    """A stack of modules, called one after another or, where that is the same, as one node.

    It is the same for linear layers each followed by a rectifier, the last perhaps not, in
    training; not where somebody hooks into a module (to look on, or to put its spread weights
    together), and not under autocast or a compiler, which would not see through.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self.modules = list(modules)
        leaves = [m for top in self.modules for m in top.modules() if not list(m.children())]
        linear = [m for m in leaves if isinstance(m, nn.Linear) and m.bias is not None]
        wanted: list[type[nn.Module]] = [nn.Linear, nn.ReLU] * len(linear)
        kinds = [type(m) for m in leaves]
        self.rectified = kinds == wanted
        self.linear = linear if kinds in (wanted, wanted[:-1]) else []

    def __call__(self, x: Tensor) -> Tensor:
        """`[B, F]` → `[B, D]`."""
        if self.fused(x):
            weights = [p for layer in self.linear for p in (layer.weight, layer.bias)]
            found: Tensor = _Dense.apply(self.rectified, x, *weights)  # type: ignore[no-untyped-call]
            return found
        for module in self.modules:
            x = module(x)
        return x

    def fused(self, x: Tensor) -> bool:
        """Whether one node will do for this input."""
        return (
            bool(self.linear)
            and self.linear[0].training
            and torch.is_grad_enabled()
            and not torch.is_autocast_enabled(x.device.type)
            and not torch.compiler.is_compiling()
            and not any(
                m._forward_hooks or m._forward_pre_hooks
                for top in self.modules
                for m in top.modules()
            )
        )


class _Dense(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, last: bool, x: Tensor, *parameters: Tensor) -> Tensor:
        weights, biases = parameters[::2], parameters[1::2]
        inputs, h = [], x
        for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            inputs.append(h)
            h = torch.addmm(bias, h, weight.t())  # [B, D_i]
            if last or i < len(weights) - 1:
                h.relu_()
        ctx.rectified = last
        ctx.save_for_backward(*weights, *inputs, *([h] if last else []))
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        if ctx.rectified:
            *saved, output = saved
            g = torch.ops.aten.threshold_backward(g, output, 0)
        count = len(saved) // 2
        weights, inputs = saved[:count], saved[count:]
        wanted: list[Tensor | None] = []
        for i in reversed(range(count)):
            wanted += [g.sum(dim=0), g.t().mm(inputs[i])]
            if i > 0:
                g = torch.ops.aten.threshold_backward(g.mm(weights[i]), inputs[i], 0)
        to_input = g.mm(weights[0]) if ctx.needs_input_grad[1] else None
        return None, to_input, *reversed(wanted)
