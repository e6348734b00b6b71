"""Parts of the commands that pages print to be pasted."""

from __future__ import annotations

import dataclasses
import shlex

from headstart.workflows.config import DataConfig


def data_flags(data: DataConfig) -> list[str]:
    """How data are read, as flags: whatever was said of it."""
    flags = []
    for field in dataclasses.fields(data):
        value = getattr(data, field.name)
        if field.name == "path" or value in (field.default, ""):  # no target is looked at
            continue
        said = shlex.quote(str(value))
        flagless = field.metadata["flag"] == ""
        named = f"--set data.{field.name}=" if flagless else f"--{field.name.replace('_', '-')} "
        flags.append(named + said)
    return flags
