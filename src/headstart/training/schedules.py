"""How the learning rate moves over a training: pure functions of its progress.

`progress` runs from 0 to 1; what comes back is a share of the peak rate.
"""

from __future__ import annotations

import math

from headstart.training.config import TrainingConfig

WARMUP, WARMUP_ONE_CYCLE = 0.05, 0.3
FIRST_SHARE = 0.01  # the very first step moves a little too
# Of the one-cycle policy (Smith and Topin, arXiv:1708.07120), as PyTorch's OneCycleLR has them.
START_DIVISOR, END_DIVISOR = 25.0, 1e4


def rate_at(progress: float, config: TrainingConfig) -> float:
    """The share of the peak rate at `progress`: a rise over `warmup`, then the schedule's fall."""
    schedule, warmup = name_of(config), warmup_of(config)
    if schedule == "onecycle":
        return one_cycle(progress, warmup)
    if warmup > 0 and progress < warmup:
        return max(progress / warmup, FIRST_SHARE)
    rest = min(1.0, (progress - warmup) / max(1e-9, 1 - warmup))
    return {"constant": constant, "linear": linear, "cosine": cosine}[schedule](rest)


def name_of(config: TrainingConfig) -> str:
    """The schedule in force: `auto` is cosine, and constant where the optimiser needs none."""
    if config.schedule != "auto":
        return config.schedule
    return "constant" if "schedulefree" in plain_name(config.optimizer) else "cosine"


def warmup_of(config: TrainingConfig) -> float:
    """The part of the training in which the rate rises."""
    if config.warmup is not None:
        return config.warmup
    return WARMUP_ONE_CYCLE if name_of(config) == "onecycle" else WARMUP


def plain_name(optimizer: str) -> str:
    """An optimiser's name without case, dashes and underscores: `Schedule-Free-AdamW` and all."""
    return optimizer.lower().replace("-", "").replace("_", "")


def constant(rest: float) -> float:  # noqa: ARG001 - a schedule's face
    """1 throughout."""
    return 1.0


def linear(rest: float) -> float:
    """1 - t."""
    return 1.0 - rest


def cosine(rest: float) -> float:
    """½ (1 + cos πt) (Loshchilov and Hutter, arXiv:1608.03983, eq. 5, one cycle)."""
    return 0.5 * (1.0 + math.cos(math.pi * rest))


def one_cycle(progress: float, rise: float) -> float:
    """From 1/25 of the peak up to it over `rise`, then down to 1/250,000 of it, both as cosines.

    The rate's half of the one-cycle policy (arXiv:1708.07120); momentum stays as it is.
    """
    start = 1.0 / START_DIVISOR
    if progress < rise:
        return 1.0 + (start - 1.0) * cosine(progress / rise)
    end = start / END_DIVISOR
    rest = min(1.0, (progress - rise) / max(1e-9, 1.0 - rise))
    return end + (1.0 - end) * cosine(rest)
