"""How many bytes: `500MB`, `2 GiB`, `1.5gb`: one parser, one type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

UNITS = {
    "": 1, "b": 1,
    "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6,
    "g": 10**9, "gb": 10**9, "t": 10**12, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_PATTERN = re.compile(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*([a-z]*)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Size:
    """An amount of memory, in bytes."""

    amount: int

    def __post_init__(self) -> None:
        if self.amount < 1:
            raise ValueError("a size must be at least one byte")

    @classmethod
    def parse(cls, text: Any) -> Size:
        """Read `"500MB"`; a bare number is bytes.

        Raises:
            ValueError: the text is not a number followed by a unit of bytes.
        """
        if isinstance(text, Size):
            return text
        if isinstance(text, int) and not isinstance(text, bool):
            return cls(text)
        match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
        if match is None or match[2].lower() not in UNITS:
            raise ValueError("expected a number and a unit, as in '500MB' or '2 GiB'")
        return cls(round(float(match[1]) * UNITS[match[2].lower()]))

    def __str__(self) -> str:
        for unit in ("TB", "GB", "MB", "kB"):
            factor = UNITS[unit.lower()]
            if self.amount % factor == 0:
                return f"{self.amount // factor}{unit}"
        return f"{self.amount}B"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls.parse)


def in_words(amount: float) -> str:
    """Bytes as a person reads them: `1.4 GB`."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if amount >= factor:
            return f"{amount / factor:.3g} {unit}"
    return f"{amount:.0f} bytes"
