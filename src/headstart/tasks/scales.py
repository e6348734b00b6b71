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
    """Own unit → what is learned.

    A target such as train has none goes on in a straight line, so that `undone` gives it back:
    below 0 on a logarithm, beyond the ends of ranks.
    """
    kind = state.get("scale", "standard")
    if kind == "rank":
        to, at = np.array(state["to"]), np.array(state["at"])
        slope = (to[-1] - to[0]) / (at[-1] - at[0])
        beyond = targets - targets.clip(at[0], at[-1])
        ranked: Numbers = np.interp(targets, at, to) + slope * beyond
        return ranked
    values = targets
    if kind == "log":
        values = np.where(targets < 0, targets, np.log1p(np.maximum(targets, 0)))
    scaled: Numbers = (values - state["mean"]) / state["std"]
    return scaled


def back(values: Tensor, state: dict[str, Any]) -> Tensor:
    """What was learned → own unit, of any shape; in operations that a graph can hold.

    Answers on ranks stay within what train has, those on a logarithm above -1.
    """
    kind = state.get("scale", "standard")
    if kind == "rank":
        to, at = (torch.tensor(state[name]).to(values) for name in ("to", "at"))
        share = ((values[..., None] - to[:-1]) / to.diff()).clamp(0, 1)  # [..., points - 1]
        return at[0] + (share * at.diff()).sum(dim=-1)
    own = values * state["std"] + state["mean"]
    return torch.expm1(own) if kind == "log" else own


def undone(values: Tensor, state: dict[str, Any]) -> Tensor:
    """The inverse of `forward`: a truth is what it is, whether train has such a one or not."""
    kind = state.get("scale", "standard")
    if kind == "rank":
        low, high = state["to"][0], state["to"][-1]
        slope: float = (state["at"][-1] - state["at"][0]) / (high - low)
        return back(values, state) + slope * (values - values.clamp(low, high))
    own = values * state["std"] + state["mean"]
    return torch.where(own < 0, own, torch.expm1(own)) if kind == "log" else own
