"""Answers suited to the F1 of one class: from which belief on it is answered.

The likeliest class is right most often, but F1 asks for another balance of misses and false alarms:
the best threshold is half of the best F1 that can be had, so below a half (Lipton et al., 2014,
arXiv:1402.1892). How far below is looked up on labels not learned from.
"""

from __future__ import annotations

import torch
from torch import Tensor

TENTHS = 20  # of log-odds that are tried to either side


def favour_for_f1(logits: Tensor, targets: Tensor, wanted: int) -> float:
    """What to add to the logit of class `wanted` so that its F1 is best; of equals the smallest.

    logits: `[N, K]`; targets: `[N]`.
    """
    others = logits.clone()
    others[:, wanted] = -torch.inf
    margin = logits[:, wanted] - others.amax(dim=1)  # [N]
    tried = torch.arange(-TENTHS, TENTHS + 1).double() / 10
    tried = tried[tried.abs().argsort(stable=True)]
    answered = margin[None] + tried[:, None] > 0  # [S, N]
    truth = targets == wanted
    hits = (answered & truth).sum(dim=1)
    f1 = 2 * hits / (answered.sum(dim=1) + truth.sum()).clamp(min=1)  # [S]
    return float(tried[int(f1.argmax())])
