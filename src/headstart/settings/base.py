"""`Settings` classes and their documented fields."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, dataclass_transform

from headstart.settings.durations import Duration
from headstart.settings.sizes import Size


def setting(
    default: Any = dataclasses.MISSING,
    help: str = "",
    *,
    flag: str | None = None,
    factory: Any = dataclasses.MISSING,
) -> Any:
    """A dataclass field with the sentence that `--help` and the reference page print.

    flag: the command-line flag; by default the field's name. An empty string makes the field
    settable only by file or `--set`.
    """
    metadata = {"help": help, "flag": flag}
    if factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(setting,))
class Settings:
    """Base of every settings class: subclasses are frozen, keyword-only dataclasses."""

    # pydantic reads this: a key that is not a field is a fault, never ignored.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    def __init_subclass__(cls) -> None:
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)


def as_plain(value: Any) -> Any:
    """Settings as what YAML and JSON can hold: dicts, lists, strings, numbers."""
    if isinstance(value, Duration | Size):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(item) for item in value]
    return value
