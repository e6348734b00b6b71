"""`Settings` classes and their documented fields."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, dataclass_transform

from headstart.settings.durations import Duration
from headstart.settings.sizes import Size


@dataclass(frozen=True)
class Range:
    """What numbers a setting takes; of several numbers, each of them."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f"{self.least:,} to {self.most:,}"
        if self.above == 0 and self.below == 1:
            return "between 0 and 1"
        limits = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        words = {"least": "at least", "most": "at most"}
        return " and ".join(f"{words.get(n, n)} {v:,}" for n, v in limits.items() if v is not None)

    @property
    def constraints(self) -> dict[str, float]:
        """As pydantic's schemas name them."""
        named = {"ge": self.least, "le": self.most, "gt": self.above, "lt": self.below}
        return {name: limit for name, limit in named.items() if limit is not None}


def setting(
    default: Any = dataclasses.MISSING,
    help: str = "",
    *,
    flag: str | None = None,
    factory: Any = dataclasses.MISSING,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """A dataclass field with the sentence that `--help` and the reference page print.

    flag: the command-line flag; by default the field's name. An empty string makes the field
    settable only by file or `--set`.
    least, most, above, below: of a number, or of each of several.
    """
    limits = Range(least, most, above, below)
    metadata = {"help": help, "flag": flag, "range": limits if limits.constraints else None}
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

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        schema = handler(source)
        for field in _described(handler.resolve_ref_schema(schema))["fields"]:
            limits = cls.__dataclass_fields__[field["name"]].metadata.get("range")  # type: ignore[attr-defined]
            _tighten(field["schema"], limits.constraints if limits else {})
        return schema


def _described(schema: Any) -> Any:
    """The part of a dataclass's schema that has its fields."""
    while schema["type"] != "dataclass-args":
        schema = schema["schema"]
    return schema


def _tighten(schema: Any, limits: dict[str, float]) -> None:
    """Take a number for a number alone, no text or truth value; and none beyond the limits."""
    if isinstance(schema, list | tuple):
        for part in schema:
            _tighten(part, limits)
    if not isinstance(schema, dict) or schema.get("type") == "dataclass":
        return
    if schema.get("type") == "tuple" and limits:
        schema["min_length"] = 1  # widths of layers and the like: none at all is no list of them
    if schema.get("type") in ("int", "float"):
        schema |= {"strict": True, **limits}
    if schema.get("type") == "float":
        schema["allow_inf_nan"] = False
    if schema.get("type") == "bool":
        schema["strict"] = True
    for name, part in schema.items():
        if name not in ("default", "metadata"):
            _tighten(part, limits)


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
