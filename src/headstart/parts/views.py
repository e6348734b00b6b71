"""What objectives that compare views of a sample have in common."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from headstart.collectives import gather
from headstart.types import Batch


def gathered(z: Tensor, views: int) -> tuple[Tensor, ...]:
    """Each view's rows over all processes, samples in one order: `[V·B, P]` → V times `[N, P]`.

    With W processes N = W·B; gradients flow back to every process (`collectives.gather`).
    """
    by_sample = z.view(views, -1, z.shape[1]).transpose(0, 1)  # [B, V, P]
    return gather(by_sample).unbind(1)


def split(z: Tensor, batch: Batch) -> tuple[Tensor, ...]:
    """Each view's rows of this process: `[V·B, P]` → V times `[B, P]`."""
    return z.chunk(batch.views)


def direction_std(z: Tensor) -> Tensor:
    """How far directions differ: 1 when they fill the sphere evenly, 0 when all are the same.

    The mean deviation of the units of `z / |z|`, times √P (SimSiam, arXiv:2011.10566, section
    4.1). z: `[N, P]`; detached. It tells collapse when labels cannot.
    """
    unit = F.normalize(z.detach().float(), dim=1)
    return unit.std(dim=0, correction=0).mul(z.shape[1] ** 0.5).mean()
