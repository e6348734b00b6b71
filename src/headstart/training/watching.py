# ruff: noqa: ARG002 - the methods of Watcher do nothing until they are overridden
"""Who looks on while the engine trains: displays, logs, probes, detectors; and how it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from torch import Tensor

from headstart.types import Batch

if TYPE_CHECKING:
    from headstart.parts.learner import Learner
    from headstart.training.engine import Engine
    from headstart.training.progress import Progress


class Preparation(Protocol):
    """The part of a modality that the engine needs."""

    def prepare(self, x: Tensor) -> Tensor:
        """A compact batch → what the network sees."""

    def augment(self, x: Tensor, strength: Literal["weak", "strong"] = "weak") -> Tensor:
        """A compact batch → an augmented one; strong where views of a sample are compared."""


class Display(Protocol):
    """Where progress is shown."""

    def update(self, progress: float, text: str) -> None:
        """Show how far training is."""


@dataclass
class Validation:
    """How to judge the learner while it trains.

    run: evaluates and gives named figures; metric: the one that chooses; direction: max, min, or
    last where no figure can choose and the newest weights are kept.
    """

    run: Callable[[], dict[str, float]]
    metric: str
    direction: str


class Watcher:
    """Follows a training: writes logs elsewhere, probes the embedding, warns, stops it.

    Subclasses override what they need and hand an instance to `Engine(watchers=[...])`. Of several
    processes only the first calls its watchers, and none may change weights. A watcher may draw
    random numbers, since every step is seeded anew. To stop the run it raises `UserError`; the
    checkpoint before stays.
    """

    name: str = ""  # under which its state is kept in checkpoints; "" for one that has none

    def on_start(self, engine: Engine) -> None:
        """Training begins or goes on: `engine.at.step` says where."""

    def on_log(self, record: dict[str, Any]) -> None:
        """A line for progress.jsonl is about to be written, and may be added to.

        All lines have `step`, `epoch` and `seconds`. Those of training have `train`, which holds
        means since the last line (`loss`, its parts, `gradient_norm`; with several players each
        begins with `player/`), and `lr_share`; those of a validation have `validation`.
        """

    def on_validate(self, learner: Learner, figures: dict[str, float]) -> dict[str, float]:
        """Called without gradients, the learner (or its average) in evaluation mode.

        figures: what validation found. Returns further figures; they stand beside these in
        progress.jsonl, and do not choose the best weights.
        """
        return {}

    def on_skip(self, batch: Batch, step: int) -> None:
        """Step number `step`, on `batch`, gave a loss or gradient that is not finite; undone.

        The batch is drawn again for this call. Accelerators, which may not be made to wait, say
        so when the next line is logged.
        """

    def on_end(self, learner: Learner, at: Progress) -> dict[str, Any]:
        """Training is over and the best weights are in the learner; figures for result.json."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What it needs to go on after a resume: plain values and tensors."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
