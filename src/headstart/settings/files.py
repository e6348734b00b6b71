"""Settings in YAML files, and presets, which are YAML files shipped with headstart."""

from __future__ import annotations

import math
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from headstart.errors import UserError, unknown

# YAML 1.1, which PyYAML reads, takes 1e-3 for text; YAML 1.2 and everybody else for a number.
_NUMBER = re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a settings file.

    Raises:
        UserError: the file is missing, unreadable, not YAML, or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read the settings file {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the settings file {path} is not UTF-8 text.") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> dict[str, Any]:
    """Read settings from YAML text; `name` says in messages where it came from."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a key that is given twice: YAML would let the last one win, unsaid."""

    def mapping(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"'{key.value}' is given twice", key.start_mark
                )
            seen.add(key.value)
        return loader.construct_mapping(node, deep=True)

    _numbers(Loader)
    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        raw = yaml.load(text, Loader)  # a SafeLoader
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" (line {place.line + 1}, column {place.column + 1})" if place else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise UserError(f"{name} is not valid YAML{where}: {problem}.") from error
    if raw is None:
        return {}
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise UserError(f"{name} must hold settings as 'name: value', one a line.")
    return raw


def to_yaml(plain: dict[str, Any]) -> str:
    """YAML text in the order of the dataclasses' fields."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Puts quotes around text that would be read as a number."""

    _numbers(Dumper)
    text = str(yaml.dump(plain, Dumper=Dumper, sort_keys=False, allow_unicode=True))
    if not {"\x85", "\u2028", "\u2029"}.isdisjoint(text):
        # PyYAML prints these line breaks bare and reads them back as spaces: escape them.
        text = str(yaml.dump(plain, Dumper=Dumper, sort_keys=False))
    return text


def _numbers(cls: Any) -> None:
    cls.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))


def parse_value(text: str) -> Any:
    """The value of `--set path=value`: YAML's reading, so `true`, `0.2` and `[64, 32]` work.

    What is written with an exponent and is whole suits a number of things too: `1e5`.
    """
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str):  # YAML 1.1 takes 1e-3 for text; everybody means a number
        try:
            number = float(value)
        except ValueError:
            return value
        if not math.isfinite(number):
            return value
        return int(number) if number.is_integer() else number
    return value


def preset_names() -> list[str]:
    """Names of the presets that come with headstart."""
    folder = files("headstart.presets")
    return sorted(
        f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")
    )


def read_preset(name: str) -> dict[str, Any]:
    """Settings of a preset.

    Raises:
        UserError: there is no preset of that name.
    """
    if name not in preset_names():
        raise unknown("preset", name, preset_names())
    text = files("headstart.presets").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return parse_yaml(text, f"preset {name}")


def preset_summaries() -> dict[str, str]:
    """What each preset is for: the comment in its first line."""
    folder = files("headstart.presets")
    return {
        name: folder.joinpath(f"{name}.yaml")
        .read_text(encoding="utf-8")
        .partition("\n")[0]
        .lstrip("# ")
        for name in preset_names()
    }
