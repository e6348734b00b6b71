"""How long things take here and now: what is left of a run, and how many steps fit in a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from headstart.settings import Duration
from headstart.training.plan import Plan

Part = Literal["validation", "checkpoint"]
SHORT, LONG = 0.5, 30.0  # seconds: a measure of steps that is trusted; one that is begun anew


class Pace:
    """Times of a step, a validation and a checkpoint, as last measured.

    checkpoint_every: how often a checkpoint is written, as far as that is counted in time.
    """

    def __init__(self, checkpoint_every: Duration) -> None:
        by_time = checkpoint_every.unit == "minutes"
        self.checkpoint_every = 60 * checkpoint_every.amount if by_time else None
        self.step: float | None = None
        self.validation = self.checkpoint = 0.0
        self.checked = time.monotonic()
        self._since, self._aside, self._steps = time.monotonic(), 0.0, 0

    @contextmanager
    def timing(self, part: Part) -> Iterator[None]:
        """Time something that is not a step."""
        begun = time.monotonic()
        yield
        passed = time.monotonic() - begun
        setattr(self, part, passed)
        self._aside += passed

    def count(self) -> None:
        """A step was taken."""
        self._steps += 1

    def measure(self, *, shortest: float = SHORT) -> None:
        """Take the time of a step from those counted; begin anew if that was long enough."""
        passed = time.monotonic() - self._since
        if self._steps and passed >= shortest:
            self.step = max(1e-9, (passed - self._aside) / self._steps)
        if passed >= LONG:
            self.restart()

    def restart(self) -> None:
        """Count steps anew."""
        self._since, self._aside, self._steps = time.monotonic(), 0.0, 0

    def left(self, plan: Plan, step: int) -> float | None:
        """Seconds to the end of a plan: steps, validations, checkpoints. None before a measure."""
        if self.step is None:
            return None
        return self._cost(max(0, plan.total - step), plan.validate_every)

    def steps_in(self, seconds: float, validate_every: int) -> int:
        """How many steps fit in a time, with what belongs to them; at least 1."""
        assert self.step is not None
        low, high = 1, max(1, int(seconds / self.step))
        while low < high:  # the cost rises with the steps
            middle = (low + high + 1) // 2
            fits = self._cost(middle, validate_every) <= seconds
            low, high = (middle, high) if fits else (low, middle - 1)
        return low

    def _cost(self, steps: int, validate_every: int) -> float:
        assert self.step is not None
        seconds = steps * self.step + self.validation * -(-steps // validate_every)
        if self.checkpoint_every:
            seconds += self.checkpoint * (seconds // self.checkpoint_every)
        return seconds + self.checkpoint  # the last one
