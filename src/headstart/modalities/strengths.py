"""How strongly augmentation acts, weakly and strongly: what suits, and over it what was asked for.

A kind of data has a settings class of strengths, each a number or null, and a class on it that
configures augmentation: its own strengths hold for both, those in its `strong` for that alone.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

from headstart.modalities.base import Strength
from headstart.settings import Settings

Amounts = dict[str, float]  # every strength of a kind of data, as a number


class Configured(Protocol):
    """Strengths of augmentation, and in `strong` those of strong augmentation alone."""

    @property
    def strong(self) -> Settings:
        """Of the class that has the strengths and nothing else."""
        ...


def names_of(strengths: type[Settings]) -> tuple[str, ...]:
    """The strengths that a class has."""
    return tuple(field.name for field in dataclasses.fields(strengths))  # type: ignore[arg-type]


def amounts_of(config: Configured, weak: Amounts, strong: Amounts) -> dict[Strength, Amounts]:
    """Every strength as a number, 0 where neither `config` names it nor it is among the usual.

    weak, strong: what suits the samples.
    """
    names = names_of(type(config.strong))
    nothing, own = dict.fromkeys(names, 0.0), _given(config, names)
    return {
        "weak": {**nothing, **weak, **own},
        "strong": {**nothing, **strong, **own, **_given(config.strong, names)},
    }


def amounts_from(state: dict[str, Any], names: tuple[str, ...]) -> dict[Strength, Amounts]:
    """Both as a run keeps them, under `weak` and `strong`."""
    return {
        "weak": {name: float(state["weak"][name]) for name in names},
        "strong": {name: float(state["strong"][name]) for name in names},
    }


def _given(strengths: object, names: tuple[str, ...]) -> Amounts:
    """Those that are not null."""
    values = {name: getattr(strengths, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
