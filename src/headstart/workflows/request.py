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
# What has a flag of components, whose settings are not known before the component is.
OF_COMPONENTS = {"activation": "backbone.activation", "size": "modality.size"}
# Ways to say which labels are used, of which there can be one.
BUDGETS = ("labels", "labels_per_class", "labels_from")


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
    preset: str | None,
    file: Path | None,
    flags: Mapping[str, Any],
    sets: Sequence[str] | Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Settings laid over one another: preset, then file, then flags, then `sets`.

    A flag that says which labels are used replaces whatever way to say so lies below it.

    sets: `NAME=VALUE` as they are typed, or values by dotted name.

    Raises:
        UserError: there is no such preset or file, or a `NAME=VALUE` is not one.
    """
    below = merge(read_preset(preset) if preset else {}, read_yaml(file) if file else {})
    budgeted = any(flags.get(name) is not None for name in BUDGETS)
    replaced = {name: None for name in BUDGETS if budgeted and below.get(name) is not None}
    raw = merge(below, replaced, flags)
    if isinstance(sets, Mapping):
        for name, value in sets.items():
            set_path(raw, name, value)
        return raw
    for text in sets or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UserError(f"--set {text}: expected NAME=VALUE, as in --set training.ema=0.99.")
        set_path(raw, name.strip(), parse_value(value))
    return raw


def nest(cls: type[Settings], flat: Mapping[str, Any]) -> dict[str, Any]:
    """Values by flag name, and groups of settings as dicts, at the places where `cls` has them.

    `nest(FinetuneConfig, {"lr": 1e-3, "training": {"ema": 0.99}, "size": 224})`.

    Raises:
        UserError: a name is neither a flag nor a group of `cls` (the nearest one, or the group that
            has it, is named), a group is no dict, or a setting is given twice.
    """
    places = _places(cls, "")
    groups = [name for name in _groups(cls) if name != "data"]  # named by the data themselves
    raw: dict[str, Any] = {}
    unknown = [name for name in flat if name not in places and name not in groups]
    if unknown:
        hints = [hint for name in unknown if (hint := _where(cls, name, [*places, *groups]))]
        known = f"Known: {', '.join(places)}."
        more = [f"Groups of settings, as dicts: {', '.join(groups)}."] if groups else []
        raise UserError(
            f"there is no setting {', '.join(map(repr, unknown))}.", *hints, known, *more
        )
    for name in [name for name in flat if name not in places]:
        if not isinstance(flat[name], Mapping):
            raise UserError(
                f"'{name}' is a group of settings, not {flat[name]!r}.",
                f"Give a dict of them, as {name}={{'NAME': VALUE}}.",
            )
        raw[name] = merge(flat[name])
    for name in [name for name in flat if name in places]:
        *group, last = places[name].split(".")
        if group and last in raw.get(group[0], {}):
            raise UserError(f"{last} is given twice: by itself, and in {group[0]}.")
        set_path(raw, places[name], flat[name])
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
    of_components = {n: p for n, p in OF_COMPONENTS.items() if p.partition(".")[0] in hints}
    return found if prefix else {**found, **of_components}


def _groups(cls: type[Settings]) -> dict[str, type[Settings] | None]:
    """Fields of `cls` that hold settings, and their class where it is known."""
    found: dict[str, type[Settings] | None] = {}
    for name, hint in typing.get_type_hints(cls).items():
        if isinstance(hint, type) and issubclass(hint, Settings):
            found[name] = hint
        elif typing.get_origin(hint) is dict:
            found[name] = None
    return found


def _where(cls: type[Settings], name: str, known: Sequence[str]) -> str | None:
    """What to write instead of a name that is no flag."""
    for group, of in _groups(cls).items():
        if of is not None and name in typing.get_type_hints(of):
            return f"{name} is a setting of {group}: give set={{'{group}.{name}': ...}}."
    guess = nearest(name, known)
    return f"{name}: did you mean {guess}?" if guess else None
