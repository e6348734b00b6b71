"""A logger: each figure a row of `progress.csv`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class CSV:
    """See `headstart.training.loggers.base.Adapter`."""

    def open(self, folder: Path, config: Mapping[str, Any], run: str | None, step: int) -> str:
        """Begin the file, or go on after the rows up to `step`."""
        self._path = folder / "progress.csv"
        kept = []
        if run is not None and self._path.exists():
            with self._path.open(newline="") as file:
                kept = [row for row in list(csv.reader(file))[1:] if int(row[0]) <= step]
        with self._path.open("w", newline="") as file:
            csv.writer(file).writerows([["step", "name", "value"], *kept])
        return self._path.name

    def log(self, step: int, figures: dict[str, float]) -> None:
        """A row a figure."""
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerows([step, name, value] for name, value in figures.items())

    def close(self) -> None:
        """Nothing is open."""
