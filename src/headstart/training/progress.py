"""Where a run stands, and the tree that a checkpoint holds."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Progress:
    """Where a run stands; all of it is in a checkpoint.

    seconds: of training, validation and checkpoints, over all the processes that took part in
    turn. skipped: steps that were undone because they were not finite. stale: validations since
    the best one.
    """

    step: int = 0
    position: int = 0
    seconds: float = 0.0
    skipped: int = 0
    skipped_in_a_row: int = 0
    stale: int = 0
    best: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    first_loss: float | None = None
    last_loss: float | None = None
    stopped_early: bool = False
