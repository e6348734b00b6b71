"""PyTorch's own optimisers by name, fused where they can be, decay only where it belongs."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer

from headstart.errors import UserError, unknown
from headstart.training.config import TrainingConfig

# LBFGS and SparseAdam need another kind of step or of gradient.
NAMES = {
    name.lower(): name
    for name in sorted(vars(torch.optim))
    if inspect.isclass(getattr(torch.optim, name))
    and issubclass(getattr(torch.optim, name), Optimizer)
    and name not in ("Optimizer", "LBFGS", "SparseAdam", "Muon")
}
USUAL_LR = {"sgd": 0.05, "asgd": 0.05, "adadelta": 1.0, "adagrad": 1e-2, "rprop": 1e-3}
USUAL_LR_OTHERS = 1e-3


def build(
    parameters: list[Parameter],
    config: TrainingConfig,
    rates: dict[Parameter, float],
    device: torch.device,
) -> Optimizer:
    """One optimiser for one player's parameters.

    Raises:
        UserError: no optimiser has that name, or it does not take these options.
    """
    name = config.optimizer.lower()
    if name not in NAMES:
        raise unknown("optimizer", config.optimizer, list(NAMES))
    cls = getattr(torch.optim, NAMES[name])
    accepted = inspect.signature(cls).parameters
    lr = config.lr if config.lr is not None else USUAL_LR.get(name, USUAL_LR_OTHERS)
    options: dict[str, Any] = {"lr": lr, **config.optimizer_options}
    if name == "sgd" and "momentum" not in options:
        options.update(momentum=0.9, nesterov=True)
    wrong = [option for option in options if option not in accepted]
    if wrong:
        raise UserError(
            f"optimizer {NAMES[name]} takes no '{wrong[0]}'.",
            f"It takes: {', '.join(p for p in accepted if p != 'params')}.",
        )
    if "fused" in accepted and device.type in ("cpu", "cuda", "mps", "xpu"):
        options.setdefault("fused", True)
    decays = "weight_decay" in accepted
    groups = _groups(parameters, rates, config.weight_decay if decays else None)
    try:
        optimiser: Optimizer = cls(groups, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"optimizer {NAMES[name]} refuses its options: {error}.") from error
    for group in optimiser.param_groups:
        group["peak"] = group["lr"] * group.pop("rate")
    return optimiser


def _groups(
    parameters: list[Parameter], rates: dict[Parameter, float], decay: float | None
) -> list[dict[str, Any]]:
    by_kind: dict[tuple[float, bool], list[Parameter]] = {}
    for parameter in parameters:
        key = (rates.get(parameter, 1.0), parameter.ndim > 1)
        by_kind.setdefault(key, []).append(parameter)
    groups = []
    for (rate, is_matrix), members in by_kind.items():
        group: dict[str, Any] = {"params": members, "rate": rate}
        if decay is not None:
            group["weight_decay"] = decay if is_matrix else 0.0
        groups.append(group)
    return groups


def rate_at(progress: float, config: TrainingConfig) -> float:
    """The share of the peak rate at `progress` (0..1): a linear rise, then the schedule's fall."""
    import math

    if config.warmup > 0 and progress < config.warmup:
        return max(progress / config.warmup, 0.01)
    if config.schedule == "constant":
        return 1.0
    rest = min(1.0, (progress - config.warmup) / max(1e-9, 1 - config.warmup))
    if config.schedule == "linear":
        return max(0.0, 1 - rest)
    return 0.5 * (1 + math.cos(math.pi * rest))


def set_rate(optimiser: Optimizer, share: float) -> None:
    """Give every group its peak rate times `share`."""
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * share
