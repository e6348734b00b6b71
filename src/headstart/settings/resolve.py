"""Plain data → settings objects, every fault named in one go."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from headstart.errors import UserError, nearest

T = TypeVar("T")


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
        made: T = _validator(cls).validate_python(dict(raw))  # type: ignore[arg-type]
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
    text = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return f"setting '{name}' is {detail['input']!r}: {text}."


def _fields_at(cls: Any, path: list[str]) -> list[str]:
    import typing

    for part in path:
        hints = typing.get_type_hints(cls) if dataclasses.is_dataclass(cls) else {}
        cls = hints.get(part)
    return [f.name for f in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []


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
