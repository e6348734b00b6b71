"""Every setting there is, read from the dataclasses: `list settings`, and docs/settings.md.

The page is made by `python -m headstart.cli.reference > docs/settings.md`.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from headstart.errors import UserError, unknown
from headstart.settings import Duration, Settings, Size, as_plain

COLUMNS = ("setting", "type", "default", "range", "meaning")
COMPONENTS = ("modality", "backbone", "objective", "task")
TYPES = {
    int: "whole number", float: "number", bool: "true or false", str: "text", Any: "anything",
    Duration: "duration", Size: "size",
}  # fmt: skip


def settings_of(component: str | None = None) -> dict[str, list[dict[str, str]]]:
    """Rows of `COLUMNS` for each group of settings, or for those groups that have that name.

    Groups are called `training` or `objective simclr`, which both its words name; settings as in
    `--set`.

    Raises:
        UserError: nothing has that name.
    """
    found = {
        name: list(_rows(cls, prefix))
        for name, prefix, cls in groups()
        if component in (None, name, *name.split())
    }
    if not found:
        words = dict.fromkeys(word for name, _, _ in groups() for word in name.split())
        raise unknown("component", str(component), list(words))
    return found


def page() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Every setting, as `--set NAME=VALUE` and `config.yaml` take it; `headstart list settings"
        " NAME` prints a",
        "part of this page, `headstart COMMAND --help` the flags. Made by `python -m"
        " headstart.cli.reference`.",
    ]
    told = ""
    for group, rows in settings_of().items():
        kind, _, name = group.rpartition(" ")
        columns = ["of", *COLUMNS] if kind in COMPONENTS else [*COLUMNS]
        if (title := kind if kind in COMPONENTS else group) != told and rows:
            told = title
            lines += [
                "",
                f"## {title}",
                f"| {' | '.join(columns)} |",
                "| --- " * len(columns) + "|",
            ]
        for row in rows:
            cells = [f"`{row['setting']}`", *[row[column] for column in COLUMNS[1:]]]
            lines.append(f"| {' | '.join([name, *cells] if kind in COMPONENTS else cells)} |")
    return "\n".join(lines) + "\n"


def groups() -> Iterator[tuple[str, str, type[Settings]]]:
    """The name of each group, where its settings stand in config.yaml, and their class."""
    from headstart import backbones, modalities, objectives, tasks
    from headstart.backbones.hub.choice import HubConfig
    from headstart.serve.config import ServeConfig
    from headstart.study.config import CompareConfig
    from headstart.study.tuning_config import TuneConfig
    from headstart.tasks.supervised import FineTuneConfig
    from headstart.training.config import TrainingConfig
    from headstart.workflows.bakeoff import AutoConfig
    from headstart.workflows.config import DataConfig, FinetuneConfig, PretrainConfig
    from headstart.workflows.student import GROUPS

    yield "pretrain", "", PretrainConfig
    yield "finetune", "", FinetuneConfig
    yield "data", "data.", DataConfig
    yield "training", "training.", TrainingConfig
    yield "finetune mode", "finetune.", FineTuneConfig
    for name, cls in GROUPS.items():
        yield name, f"{name}.", cls
    for table in (modalities.table, backbones.table, objectives.table, tasks.table):
        for name in table:
            yield f"{table.kind} {name}", f"{table.kind}.", table.load(name).Config
    yield "backbone hub:NAME", "backbone.", HubConfig
    yield "objective auto", "objective.", AutoConfig
    yield "compare", "", CompareConfig
    yield "tune", "", TuneConfig
    yield "serve", "", ServeConfig


def _rows(cls: type[Settings], prefix: str) -> Iterator[dict[str, str]]:
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        hint, name = hints[field.name], prefix + field.name
        if not (isinstance(hint, type) and issubclass(hint, Settings)):
            if field.name == "command":  # says of a file what it is for
                continue
            limits, help = field.metadata.get("range"), field.metadata.get("help", "")
            told = (name, _type(hint), _default(field), str(limits or ""), help)
            yield dict(zip(COLUMNS, told, strict=True))
        elif issubclass(cls, hint):
            told = (f"{name}.NAME", "", "", "", f"any of those above, for {field.name} alone")
            yield dict(zip(COLUMNS, told, strict=True))
        elif prefix:  # `data` and `training` have a group of their own
            yield from _rows(hint, f"{name}.")


def _default(field: dataclasses.Field[Any]) -> str:
    made = field.default_factory
    default = as_plain(field.default if made is dataclasses.MISSING else made())
    if default in (None, "", [], {}):
        return ""
    if isinstance(default, list):
        return ", ".join(map(str, default))
    return str(default).lower() if isinstance(default, bool) else str(default)


def _type(hint: Any) -> str:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_type(part) for part in parts if part is not types.NoneType)
    if origin is typing.Literal:
        return ", ".join(map(str, parts))
    if origin is tuple:
        return f"list: {_type(parts[0])}"
    if origin is dict or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return "names and values"
    return TYPES.get(hint) or str(getattr(hint, "__name__", hint))


def check_alone(what: str, component: str | None) -> None:
    """Raises:
    UserError: a component was named, and something else than settings is listed.
    """
    if component is not None and what != "settings":
        raise UserError(f"list {what} takes no name; settings does: list settings {component}.")


if __name__ == "__main__":
    print(page(), end="")
