"""Optimisers by name: PyTorch's, and a choice of the library `pytorch_optimizer`'s.

Fused where they can be, decay only where it belongs. Some of them average as they go
(schedule-free): what they train is not what should be judged or kept; see `averaging.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Set
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer

from headstart.errors import UserError, unknown
from headstart.training.config import TrainingConfig
from headstart.training.muon import MuonWithAdamW
from headstart.training.schedules import plain_name
from headstart.training.sharding import Shards

# LBFGS and SparseAdam need another kind of step or of gradient.
NAMES = {
    name.lower(): name
    for name in sorted(vars(torch.optim))
    if inspect.isclass(getattr(torch.optim, name))
    and issubclass(getattr(torch.optim, name), Optimizer)
    and name not in ("Optimizer", "LBFGS", "SparseAdam")
}
# Of the library's hundred and more: those whose step needs nothing but gradients, and which
# continue to the bit from a saved state (SOAP does not).
LIBRARY = (
    "adabelief", "adan", "ademamix", "adopt", "lamb", "lars", "lion", "madgrad", "mars", "prodigy",
    "schedulefreeadamw", "schedulefreeradam", "schedulefreesgd", "stableadamw",
)  # fmt: skip
USUAL_LR = {
    "sgd": 0.05, "asgd": 0.05, "adadelta": 1.0, "adagrad": 1e-2, "rprop": 1e-3, "lars": 0.3,
    "lion": 3e-4,
}  # fmt: skip
USUAL_LR_OTHERS = 1e-3
PLAIN_LR, PLAIN_EPS = 20.0, 10.0  # of a linear machine whose samples are of length 1


def build(
    parameters: list[Parameter],
    config: TrainingConfig,
    rates: dict[Parameter, float],
    device: torch.device,
    plain: Set[Parameter] = frozenset(),
) -> Optimizer:
    """One optimiser for one player's parameters.

    plain: those that move in proportion to their gradient, where the optimiser can do both: by
        PLAIN_LR times the mean gradient at its usual rate, at another in proportion.

    Raises:
        UserError: no optimiser has that name, its library is not installed, or it does not take
            these options.
    """
    name = plain_name(config.optimizer)
    cls = _class(name, config.optimizer)
    shown = NAMES.get(name, name)
    accepted = _accepted(cls)
    lr = config.lr if config.lr is not None else _usual_lr(name, accepted)
    options: dict[str, Any] = {"lr": lr, **config.optimizer_options}
    if name == "sgd" and "momentum" not in options:
        options.update(momentum=0.9, nesterov=True)
    wrong = [option for option in options if option not in accepted]
    if wrong:
        raise UserError(
            f"optimizer {shown} takes no '{wrong[0]}'.",
            f"It takes: {', '.join(p for p in accepted if p != 'params')}.",
        )
    if "fused" in accepted and device.type in ("cpu", "cuda", "mps", "xpu"):
        options.setdefault("fused", True)
    decays = "weight_decay" in accepted
    groups = _groups(
        [p for p in parameters if p not in plain], rates, config.weight_decay if decays else None
    )
    if own := [p for p in parameters if p in plain]:
        groups.append(_plain(own, name, options["lr"] / _usual_lr(name, accepted), accepted))
    try:
        optimiser: Optimizer = cls(groups, **options)
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        raise UserError(f"optimizer {shown} refuses its options: {error}.") from error
    for group in optimiser.param_groups:
        group["peak"] = group["lr"] * group.pop("rate")
    return optimiser


def of_players(
    shards: Shards, config: TrainingConfig, device: torch.device
) -> dict[str, Optimizer]:
    """One optimiser for each player; raises what `build` does."""
    rates, plain = shards.rates(), shards.plain()
    return {
        name: build(parameters, config, rates, device, plain)
        for name, parameters in shards.players().items()
    }


def parameters_of(optimiser: Optimizer) -> list[Parameter]:
    """All that it moves, in the order in which its state counts them."""
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def _class(name: str, asked: str) -> Any:
    if name == "muon" and name in NAMES:
        return MuonWithAdamW
    if name in NAMES:
        return getattr(torch.optim, NAMES[name])
    if name not in LIBRARY:
        raise unknown("optimizer", asked, [*NAMES, *LIBRARY])
    try:
        from pytorch_optimizer import load_optimizer
    except ImportError as error:
        raise UserError(
            f"optimizer {asked} comes from a package that is not installed.",
            "Install it: pip install 'headstart[optim]'",
        ) from error
    return load_optimizer(name)


def _accepted(cls: Any) -> dict[str, inspect.Parameter]:
    """The arguments an optimiser names."""
    if cls is MuonWithAdamW:
        cls = torch.optim.Muon
    found = inspect.signature(cls).parameters
    return {name: p for name, p in found.items() if p.kind is not inspect.Parameter.VAR_KEYWORD}


def _usual_lr(name: str, accepted: dict[str, inspect.Parameter]) -> float:
    if name in NAMES or name in USUAL_LR:
        return USUAL_LR.get(name, USUAL_LR_OTHERS)
    return float(accepted["lr"].default)


def _groups(
    parameters: list[Parameter], rates: dict[Parameter, float], decay: float | None
) -> list[dict[str, Any]]:
    by_kind: dict[tuple[float, bool], list[Parameter]] = {}
    for parameter in parameters:
        # Without decay all are of one kind: a group more is a kernel more in every step.
        key = (rates.get(parameter, 1.0), bool(decay) and parameter.ndim > 1)
        by_kind.setdefault(key, []).append(parameter)
    groups = []
    for (rate, is_matrix), members in by_kind.items():
        group: dict[str, Any] = {"params": members, "rate": rate}
        if decay is not None:
            group["weight_decay"] = decay if is_matrix else 0.0
        groups.append(group)
    return groups


def _plain(
    parameters: list[Parameter], name: str, share: float, accepted: dict[str, inspect.Parameter]
) -> dict[str, Any]:
    """A group of those, at `share` of their usual rate.

    Adam's step is lr · m / (√v + eps): an eps far above every gradient leaves lr / eps · m.
    """
    group: dict[str, Any] = {"params": parameters, "rate": 1.0}
    if name in ("adam", "adamw"):
        group |= {"lr": PLAIN_LR * PLAIN_EPS * share, "eps": PLAIN_EPS}
    elif name == "sgd":
        group |= {"lr": PLAIN_LR / 10 * share}  # its momentum of 0.9 adds up ten gradients
    if "weight_decay" in accepted:
        group["weight_decay"] = 0.0
    return group


def set_rate(optimiser: Optimizer, share: float) -> None:
    """Give every group its peak rate times `share`."""
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * share
