"""Probabilities that mean what they say (Guo et al., 2017, arXiv:1706.04599).

Networks believe their answers more, or less, than these are right. Dividing all logits by one
number, the temperature, changes no answer and mends most of it. It is fitted on labels that were
not learned from; without such labels there is nothing to fit it on.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor

BINS = 15
COLDEST, HOTTEST = 0.05, 20.0
PRIOR = 0.5  # deviation of log T before any label is seen


def fit_temperature(logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> float:
    """The temperature of the least cross-entropy on labelled samples (section 4.2).

    Where a few labels are all answered right the least is at T = 0, which means too much. So log T
    has a normal law about 0 beforehand, which no longer counts where there are hundreds of labels.

    logits: `[N, K]`; targets: `[N]`; weight: of each class `[K]`, where they do not count alike.
    """
    logits = logits.detach().double().cpu()
    targets = targets.cpu()
    weight = None if weight is None else weight.double().cpu()

    def loss(log_temperature: float) -> float:
        fit = float(F.cross_entropy(logits / math.exp(log_temperature), targets, weight))
        return fit + 0.5 * (log_temperature / PRIOR) ** 2 / len(targets)

    found = minimize_scalar(
        loss, bounds=(math.log(COLDEST), math.log(HOTTEST)), method="bounded",
        options={"xatol": 1e-5},
    )  # fmt: skip
    return math.exp(float(found.x))


def expected_calibration_error(probabilities: Tensor, targets: Tensor, bins: int = BINS) -> float:
    """Mean distance of belief and accuracy over bins of belief, weighted by samples (eq. 3).

    probabilities: `[N, K]`; targets: `[N]`; bins: of equal width, each with its upper edge.
    """
    belief, answers = probabilities.double().max(dim=1)
    right = (answers == targets).double()
    place = (belief * bins).ceil().long().clamp(1, bins) - 1
    gap = torch.zeros(bins, dtype=torch.float64, device=belief.device)
    gap.index_add_(0, place, right - belief)
    return float(gap.abs().sum() / len(targets))
