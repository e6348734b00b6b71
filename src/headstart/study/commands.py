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
        if field.metadata["flag"] != "" and value != field.default:
            flags.append(f"--{field.name.replace('_', '-')} {shlex.quote(str(value))}")
    return flags
