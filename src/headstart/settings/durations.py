"""How long: `100 steps`, `5 epochs`, `10 minutes`, `1e6 samples`: one parser, one type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, cast

Unit = Literal["steps", "epochs", "samples", "minutes"]
UNITS: tuple[Unit, ...] = ("steps", "epochs", "samples", "minutes")
_PATTERN = re.compile(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*([a-z]+)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Duration:
    """An amount of training."""

    amount: float
    unit: Unit

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"'{self.unit}' is no unit of training; known: {', '.join(UNITS)}")
        if not 0 < self.amount < float("inf"):
            raise ValueError(f"a duration must be above 0, not {self.amount:g}")
        if self.unit == "steps" and self.amount != int(self.amount):
            raise ValueError(f"a number of steps is whole, not {self.amount:g}")

    @classmethod
    def parse(cls, text: Any) -> Duration:
        """Read `"5 epochs"`.

        Raises:
            ValueError: the text is not a number followed by a unit.
        """
        if isinstance(text, Duration):
            return text
        match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError("expected a number and a unit, as in '100 steps' or '10 minutes'")
        unit = match[2].lower()
        unit = unit if unit.endswith("s") else unit + "s"
        try:
            amount = float(match[1])
        except ValueError:
            raise ValueError(f"'{match[1]}' is not a number") from None
        return cls(amount, cast(Unit, unit))

    def steps(self, batch_size: int, epoch_samples: int) -> int | None:
        """The number of optimiser steps, at least 1; None when time decides."""
        match self.unit:
            case "steps":
                return int(self.amount)
            case "epochs":
                return max(1, round(self.amount * epoch_samples / batch_size))
            case "samples":
                return max(1, round(self.amount / batch_size))
            case "minutes":
                return None

    def __str__(self) -> str:
        whole = self.amount == int(self.amount) and self.amount < 1e15
        return f"{int(self.amount) if whole else self.amount!r} {self.unit}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls.parse)
