"""What every head looks at: features standardised over the batch, whatever scale they come in."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Standardised(nn.BatchNorm1d):
    """Batch normalisation without weights, `[M, D]` → `[M, D]`.

    One row has no deviation: the running statistics, which it leaves alone, serve it.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if self.training and len(x) < 2:
            return F.batch_norm(x, self.running_mean, self.running_var, eps=self.eps)
        return super().forward(x)
