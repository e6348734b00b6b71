"""Scales that the targets of a regression are learned on, and the way back to their own unit."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import skew
from torch import Tensor

from headstart.modalities.columns import curve_of

Scale = Literal["standard", "log", "rank", "auto"]
Numbers = NDArray[np.float64]
SKEWED = 1.5  # skewness from which `auto` takes logarithms


def fit_scale(targets: Numbers, scale: Scale) -> dict[str, Any]:
    """What `forward` and `back` must know, as JSON can hold it.

    standard: mean and deviation. log: the same of log(1 + y), for targets that are never below 0.
    rank: a normal deviate for each rank. auto: log for positive targets that are skewed, where
    the logarithm is less skewed; else standard.
    """
    if scale == "auto":
        scale = "log" if _gains_by_logarithm(targets) else "standard"
    if scale == "rank":
        at, to = curve_of(targets)
        return {"scale": scale, "at": at, "to": to, "mean": 0.0, "std": 1.0}
    values = np.log1p(targets) if scale == "log" else targets
    return {"scale": scale, "mean": float(values.mean()), "std": float(values.std())}


def _gains_by_logarithm(targets: Numbers) -> bool:
    if targets.min() < 0 or skew(targets) < SKEWED:
        return False
    return bool(abs(skew(np.log1p(targets))) < skew(targets) / 2)


def forward(targets: Numbers, state: dict[str, Any]) -> Numbers:
    """Own unit → what is learned."""
    kind = state.get("scale", "standard")
    if kind == "rank":
        ranked: Numbers = np.interp(targets, state["at"], state["to"])
        return ranked
    # Below 0 there is no such target in train; elsewhere one must not end the run.
    values = np.log1p(np.maximum(targets, 0)) if kind == "log" else targets
    scaled: Numbers = (values - state["mean"]) / state["std"]
    return scaled


def back(values: Tensor, state: dict[str, Any]) -> Tensor:
    """What is learned → own unit, of any shape; in operations that a graph can hold."""
    kind = state.get("scale", "standard")
    if kind == "rank":
        to, at = (torch.tensor(state[name]).to(values) for name in ("to", "at"))
        share = ((values[..., None] - to[:-1]) / to.diff()).clamp(0, 1)  # [..., points - 1]
        return at[0] + (share * at.diff()).sum(dim=-1)
    own = values * state["std"] + state["mean"]
    return torch.expm1(own) if kind == "log" else own
