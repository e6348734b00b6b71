"""What a user asked for, as settings: shared by the command line and the Python front door."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from headstart.errors import UserError, nearest
from headstart.settings import Duration, Faults, Settings, merge, resolve, set_path
from headstart.settings.files import parse_value, read_preset, read_yaml

C = TypeVar("C", bound=Settings)


def durations(epochs: float | None, steps: float | None, minutes: float | None) -> Duration | None:
    """The one length that was given, or None.

    Raises:
        UserError: more than one was given, or it is not above 0.
    """
    given = {"epochs": epochs, "steps": steps, "minutes": minutes}
    found = [(unit, amount) for unit, amount in given.items() if amount is not None]
    if not found:
        return None
    if len(found) > 1:
        raise UserError(f"give one of epochs, steps and minutes, not {len(found)} of them.")
    unit, amount = found[0]
    try:
        return Duration(float(amount), unit)  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(f"{unit} {amount:g}: {error}.") from error


def layered(
    preset: str | None, file: Path | None, flags: Mapping[str, Any], sets: Sequence[str]
) -> dict[str, Any]:
    """Settings laid over one another: preset, then file, then flags, then `NAME=VALUE`.

    Raises:
        UserError: there is no such preset or file, or a `NAME=VALUE` is not one.
    """
    raw = merge(read_preset(preset) if preset else {}, read_yaml(file) if file else {}, flags)
    for text in sets:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UserError(f"--set {text}: expected NAME=VALUE, as in --set training.ema=0.99.")
        set_path(raw, name.strip(), parse_value(value))
    return raw


def nest(cls: type[Settings], flat: Mapping[str, Any]) -> dict[str, Any]:
    """Flat values by flag name, at the places where `cls` has them.

    Raises:
        UserError: a name is no flag of `cls`; the nearest one is named.
    """
    places = _places(cls, "")
    raw: dict[str, Any] = {}
    unknown = [name for name in flat if name not in places]
    if unknown:
        guesses = [(name, nearest(name, places)) for name in unknown]
        raise UserError(
            f"there is no setting {', '.join(map(repr, unknown))}.",
            *[f"{name}: did you mean {guess}?" for name, guess in guesses if guess],
            f"Known: {', '.join(places)}.",
        )
    for name, value in flat.items():
        set_path(raw, places[name], value)
    return raw


def config_of(cls: type[C], raw: Mapping[str, Any]) -> C:
    """Settings of `cls`.

    Raises:
        UserError: something is wrong with `raw`; all of it is named.
    """
    faults = Faults()
    config = resolve(cls, raw, faults)
    faults.raise_if_any()
    assert config is not None
    return config


def _places(cls: type[Settings], prefix: str) -> dict[str, str]:
    """Dotted place of every field that has a flag."""
    found: dict[str, str] = {}
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        hint = hints[field.name]
        if isinstance(hint, type) and issubclass(hint, Settings):
            found |= _places(hint, f"{prefix}{field.name}.")
        elif field.metadata["flag"] != "":
            found[field.name] = prefix + field.name
    return found
