"""Classes that are not alike in number: weights, and logits adjusted by how frequent a class is.

Trained on few samples of a class, a network answers it too seldom. Two cures, both in the loss
alone, so that answers need no change:

    weights  each class counts alike in the mean: a sample of class y has the weight N / (K · n_y)
    logits   log of a class's share is added to its logit while the loss is taken, so the logits
             themselves need not hold it (Menon et al., 2021, arXiv:2007.07314, eq. 10); what they
             are the logits of is the answer that is right where all classes are as frequent
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def class_weights(counts: Sequence[int]) -> Tensor:
    """N / (K · n) for each of K classes of n samples: `[K]`, of mean 1 over the samples."""
    n = torch.tensor(counts, dtype=torch.float32)
    return n.sum() / (len(n) * n.clamp(min=1))


def log_shares(counts: Sequence[int]) -> Tensor:
    """log(n / N) of each class: `[K]`."""
    n = torch.tensor(counts, dtype=torch.float32)
    return (n / n.sum()).log()
