"""Weights & Biases; `WANDB_MODE=offline` keeps everything in RUN/wandb."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headstart.training.loggers.base import PROJECT


class WandB:
    """A run of the project `headstart`, named after the folder."""

    def __init__(self) -> None:
        import wandb

        self._wandb: Any = wandb
        self._run: Any = None

    def open(self, folder: Path, config: Mapping[str, Any], run: str | None, step: int) -> str:  # noqa: ARG002 - the face
        """Begin a run, or continue the one of that id."""
        self._run = self._wandb.init(
            project=PROJECT,
            name=folder.name,
            dir=str(folder),
            config=dict(config),
            id=run,
            resume=None if run is None else "allow",
        )
        return str(self._run.id)

    def log(self, step: int, figures: dict[str, float]) -> None:
        """One line."""
        self._run.log(figures, step=step)

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()
