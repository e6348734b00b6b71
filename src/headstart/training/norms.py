"""Batch normalisation over the batches of all processes, on any device, under the same names.

PyTorch's SyncBatchNorm refuses the CPU. This one takes the place of every batch norm of a learner
without touching parameters, buffers or their names, and equals the original on the global batch
to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from headstart import collectives


class SharedBatchNorm(_BatchNorm):
    """Statistics over all processes in training; the plain one in evaluation."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions, channels second."""

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, ...]` → the same, normalised over all but C and over processes."""
        if not self.training or collectives.world_size() == 1:
            return super().forward(x)
        x, given = x.float(), x.dtype  # sums over many values do not bear bfloat16
        dims = [d for d in range(x.ndim) if d != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        # Of words and frames each process has its own number.
        own = x.new_tensor([x.numel() // x.shape[1]])
        sums = collectives.sum_over_processes(torch.cat([x.sum(dims), own]))  # [C + 1]
        mean, total = sums[:-1] / sums[-1], sums[-1].detach()
        centred = x - mean.view(shape)
        variance = collectives.sum_over_processes(centred.square().sum(dims)) / total  # [C]
        unbiased = variance * total / (total - 1).clamp(min=1)
        self._remember(mean.detach(), unbiased.detach())
        y = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(given)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


def share_norms(module: nn.Module) -> None:
    """Let every batch norm in `module` look at the batches of all processes."""
    if collectives.world_size() == 1:
        return
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.__class__ = SharedBatchNorm
