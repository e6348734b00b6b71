"""Plain data → settings objects, every fault named in one go."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from headstart.errors import UserError, nearest
from headstart.settings.base import Range

T = TypeVar("T")
# What pydantic calls it where a number is one, but not one of those that are allowed.
BEYOND = (
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "finite_number",
)


class Faults:
    """Collects what is wrong with settings, so that a user mends everything at once."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        """Note one fault."""
        self.lines.append(line)

    def raise_if_any(self) -> None:
        """Raises:
        UserError: at least one fault was noted; all of them are listed.
        """
        if len(self.lines) == 1:
            raise UserError(self.lines[0])
        if self.lines:
            raise UserError(
                f"{len(self.lines)} settings are wrong:", *[f"- {line}" for line in self.lines]
            )


def resolve(cls: type[T], raw: Mapping[str, Any], faults: Faults, where: str = "") -> T | None:
    """Build `cls` from plain data; None, with the faults noted, when something is wrong.

    where: the dotted place of `raw` in the whole configuration, for the messages.
    """
    import pydantic

    try:
        made: T = _validator(cls).validate_python(_plain(raw))  # type: ignore[arg-type]
    except pydantic.ValidationError as error:
        for detail in error.errors():
            faults.add(_sentence(cls, where, detail))
        return None
    return made


@cache
def _validator(cls: type) -> Any:
    """What checks values of `cls`; made once, which takes longer than many checks."""
    import pydantic

    return pydantic.TypeAdapter(cls)


def _plain(value: Any) -> Any:
    """Numbers of NumPy's as Python's, which alone are taken for numbers."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(part) for part in value)
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _sentence(cls: type, where: str, detail: Mapping[str, Any]) -> str:
    path = [str(part) for part in detail["loc"]]
    name = ".".join(([where] if where else []) + path)
    if detail["type"] == "unexpected_keyword_argument":
        siblings = _fields_at(cls, path[:-1])
        guess = nearest(path[-1], siblings)
        ending = f"did you mean {guess}?" if guess else f"known: {', '.join(siblings)}."
        return f"there is no setting '{name}'; {ending}"
    if detail["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return f"setting '{name}' is missing."
    if detail["type"] == "too_short":
        return f"setting '{name}' is {list(detail['input'])}: it must hold one number at least."
    if detail["type"] in ("tuple_type", "list_type"):
        return f"setting '{name}' is {detail['input']!r}: it must be a list, [{detail['input']}]."
    if detail["type"] in BEYOND:
        finite = "a finite number" if detail["type"] == "finite_number" else ""
        allowed = [part for part in (finite, str(_range_of(cls, path) or "")) if part]
        return f"setting '{name}' is {detail['input']!r}: it must be {', '.join(allowed)}."
    text = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return f"setting '{name}' is {detail['input']!r}: {text}."


def _range_of(cls: Any, path: list[str]) -> Range | None:
    """The range of the setting at a place, or of the setting that the place is a part of."""
    import typing

    found: Range | None = None
    for part in path:
        fields = {f.name: f for f in dataclasses.fields(cls)} if _has_fields(cls) else {}
        if part in fields:
            found, cls = fields[part].metadata.get("range"), typing.get_type_hints(cls)[part]
    return found


def _has_fields(cls: Any) -> bool:
    return isinstance(cls, type) and dataclasses.is_dataclass(cls)


def _fields_at(cls: Any, path: list[str]) -> list[str]:
    import typing

    for part in path:
        hints = typing.get_type_hints(cls) if _has_fields(cls) else {}
        cls = hints.get(part)
    return [f.name for f in dataclasses.fields(cls)] if _has_fields(cls) else []


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dicts laid over one another: the last layer that names a key decides."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = merged.get(key)
            if isinstance(value, Mapping) and isinstance(below, Mapping):
                # A component changed by name starts from that component's own defaults.
                renamed = "name" in value and "name" in below and value["name"] != below["name"]
                merged[key] = merge({} if renamed else below, value)
            else:
                merged[key] = merge(value) if isinstance(value, Mapping) else value
    return merged


def set_path(raw: dict[str, Any], path: str, value: Any) -> None:
    """`set_path(raw, "objective.temperature", 0.2)`.

    Raises:
        UserError: a part of the path is already a plain value.
    """
    *parents, last = path.split(".")
    for part in parents:
        raw = raw.setdefault(part, {})
        if not isinstance(raw, dict):
            raise UserError(f"cannot set '{path}': '{part}' is a value, not a group of settings.")
    raw[last] = value
