"""What is written down of a training, for progress.jsonl, for watchers and for the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from headstart.runs.folder import RunFolder
from headstart.training.figures import Figures
from headstart.training.progress import Progress
from headstart.training.watching import Display, Watcher


class Logbook:
    """Sums up what steps say, and writes lines.

    samples: in an epoch.
    """

    def __init__(
        self,
        folder: RunFolder | None,
        display: Display | None,
        watchers: Sequence[Watcher],
        samples: int,
    ) -> None:
        self.folder = folder
        self.display = display
        self.watchers = watchers
        self.samples = samples
        self.figures = Figures()

    def add(self, prefix: str, figures: dict[str, Tensor], weight: int, sound: Tensor) -> None:
        """Count what a player's step says; nothing where `sound` is False."""
        named = {prefix + name: value for name, value in figures.items()}
        self.figures.add(named, weight, sound)

    def training(self, at: Progress, rate: float) -> None:
        """Write the means since the last line."""
        figures = self.figures.means()
        losses = [v for k, v in figures.items() if k == "loss" or k.endswith("/loss")]
        if losses:
            at.last_loss = sum(losses)
            if at.first_loss is None:
                at.first_loss = at.last_loss
        self.write(at, {"train": figures, "lr_share": rate})

    def write(self, at: Progress, figures: dict[str, Any]) -> None:
        """Write one line."""
        epoch = round(at.position / self.samples, 4)
        line = {"step": at.step, "epoch": epoch, "seconds": at.seconds, **figures}
        for watcher in self.watchers:
            watcher.on_log(line)
        if self.folder is not None:
            self.folder.append_progress(line)

    def show(self, progress: float, at: Progress, metric: str | None, left: float | None) -> None:
        """Show how far training is: the loss, the best figure, the time left."""
        if self.display is None:
            return
        parts = [] if at.last_loss is None else [f"loss {at.last_loss:.4f}"]
        if metric is not None and at.best:
            parts.append(f"best {metric} {at.best[metric]:.4f}")
        if left is not None:
            minutes, seconds = divmod(round(left), 60)
            parts.append(f"{minutes}:{seconds:02d} left")
        self.display.update(progress, " · ".join(parts))
