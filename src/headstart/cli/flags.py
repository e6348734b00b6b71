"""Flags made from settings classes: the one definition of a setting is its dataclass field."""

from __future__ import annotations

import argparse
import dataclasses
import types
import typing
from collections.abc import Collection
from typing import Any

from headstart.settings import Settings, Size


def add_flags(
    parser: argparse._ActionsContainer, cls: type[Settings], only: Collection[str] | None = None
) -> None:
    """One flag for each field of `cls`, and of the classes within it, that wants one.

    only: names of those that do.
    """
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        hint = hints[field.name]
        if only is not None and field.name not in only:
            continue
        if isinstance(hint, type) and issubclass(hint, Settings):
            add_flags(parser, hint)
        elif field.metadata["flag"] != "":
            name = field.metadata["flag"] or field.name
            _add(parser, f"--{name.replace('_', '-')}", name, hint, _help(field))


def add_component_flags(parser: argparse._ActionsContainer) -> None:
    """Flags of settings that only some networks or kinds of data have: `request.OF_COMPONENTS`."""
    parser.add_argument("--activation", metavar="NAME", help="the backbone's, as gelu or relu")
    parser.add_argument(
        "--size", type=int, metavar="N",
        help="side of pictures in pixels, which are squeezed to N x N; by default their own, at"
        " most 64",
    )  # fmt: skip


def chosen(options: argparse.Namespace, cls: type[Settings]) -> dict[str, Any]:
    """The flags of `cls` that were given, by field name."""
    found: dict[str, Any] = {}
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        hint = hints[field.name]
        if isinstance(hint, type) and issubclass(hint, Settings):
            found |= chosen(options, hint)
        elif field.metadata["flag"] != "":
            value = getattr(options, field.metadata["flag"] or field.name, None)
            if value is not None:
                found[field.name] = value
    return found


def _add(
    parser: argparse._ActionsContainer, flag: str, dest: str, hint: Any, sentence: str
) -> None:
    more: dict[str, Any] = {"dest": dest, "default": None, "help": sentence}
    if typing.get_origin(hint) is tuple:
        kind, _ = _kind(typing.get_args(hint)[0])
        parser.add_argument(flag, type=kind, action="append", metavar="NAME", **more)
        return
    kind, choices = _kind(hint)
    if kind is bool:
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, **more)
    elif choices:
        parser.add_argument(flag, choices=choices, **more)
    else:
        metavar = {int: "N", float: "X", Size: "SIZE"}.get(kind, "NAME")
        kind = str if kind is Size else kind  # read with all other settings, faults together
        parser.add_argument(flag, type=kind, metavar=metavar, **more)


def _kind(hint: Any) -> tuple[Any, list[Any]]:
    """The plain type of a field's annotation, and its choices if it has any."""
    parts = [hint]
    if typing.get_origin(hint) in (types.UnionType, typing.Union):  # a Literal's is the latter
        parts = [part for part in typing.get_args(hint) if part is not types.NoneType]
    if typing.get_origin(parts[0]) is typing.Literal:
        return str, list(typing.get_args(parts[0]))
    if parts[0] not in (int, float, str, bool, Size):
        raise TypeError(f"no flag can be made of a field of type {hint}: give it flag=''")
    return parts[0], []


def _help(field: dataclasses.Field[Any]) -> str:
    sentence = str(field.metadata["help"]).replace("%", "%%")
    notes = [str(limits)] if (limits := field.metadata.get("range")) else []
    if field.default not in (None, (), dataclasses.MISSING) and not isinstance(field.default, bool):
        notes.append(f"default: {field.default}")
    return f"{sentence} ({'; '.join(notes)})" if notes else sentence
