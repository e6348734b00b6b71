"""The templates of this package's pages, and the parts that they share."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def templates() -> Environment:
    """Where templates find one another by name; what they show is escaped."""
    from jinja2 import Environment, FunctionLoader

    def text(name: str) -> str:
        return files("headstart.study").joinpath(name).read_text(encoding="utf-8")

    loader = FunctionLoader(text)
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
