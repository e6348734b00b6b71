"""trackio: a local dashboard with the calls of Weights & Biases (`trackio show`)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from headstart.training.loggers.base import PROJECT


class Trackio:
    """A run of the project `headstart`, named after the folder."""

    def __init__(self) -> None:
        import trackio

        self._trackio: Any = trackio

    def open(self, folder: Path, config: Mapping[str, Any], run: str | None, step: int) -> str:  # noqa: ARG002 - the face
        """Begin a run, or continue the one of that name."""
        name = run or folder.name
        with redirect_stdout(sys.stderr):  # where it greets: stdout is for results
            self._trackio.init(
                project=PROJECT,
                name=name,
                config=dict(config),
                resume="never" if run is None else "allow",
            )
        return name

    def log(self, step: int, figures: dict[str, float]) -> None:
        """One line."""
        self._trackio.log(figures, step=step)

    def close(self) -> None:
        """Finish the run."""
        with redirect_stdout(sys.stderr):
            self._trackio.finish()
