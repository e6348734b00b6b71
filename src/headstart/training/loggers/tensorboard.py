"""TensorBoard: `tensorboard --logdir RUN/tensorboard`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headstart.settings.files import to_yaml


class TensorBoard:
    """Event files, written by PyTorch's own writer."""

    def __init__(self) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._make: Any = SummaryWriter
        self._writer: Any = None

    def open(self, folder: Path, config: Mapping[str, Any], run: str | None, step: int) -> str:
        """What a killed run logged beyond `step` is purged when it is continued."""
        where = folder / "tensorboard"
        # Steps are logged after they are taken: the next one to come is step + 1.
        self._writer = self._make(str(where), purge_step=None if run is None else step + 1)
        if run is None:
            self._writer.add_text("config", f"```\n{to_yaml(dict(config))}\n```")
        return where.name

    def log(self, step: int, figures: dict[str, float]) -> None:
        """One scalar a figure."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
