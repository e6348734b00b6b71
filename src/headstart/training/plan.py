"""The plan of a run: which step is how far, when to log and when to validate."""

from __future__ import annotations

from dataclasses import dataclass, replace

from headstart.errors import UserError
from headstart.settings import Duration
from headstart.training import schedules
from headstart.training.config import TrainingConfig

LINES = 40  # in progress.jsonl, at least, where there are as many steps
STEPS_A_LINE = 50
VALIDATIONS = 20  # at most, unless asked for


@dataclass
class Plan:
    """How far each step is. It is in every checkpoint: a resumed run follows the same schedule.

    total: the number of steps. From `from_step` on, progress rises evenly from `from_progress`
    to 1: a plan that is revised on the way goes on from the progress reached.
    warm_from: the step from which the rate rises anew, in a run that was made longer.
    seconds: when training should end, by `Progress.seconds`; None where steps alone count.
    """

    total: int
    validate_every: int
    from_step: int = 0
    from_progress: float = 0.0
    warm_from: int = 0
    seconds: float | None = None

    def progress(self, step: int) -> float:
        """How far training is before `step`, 0 to 1."""
        if step >= self.total:
            return 1.0
        passed = (step - self.from_step) / (self.total - self.from_step)
        return self.from_progress + (1.0 - self.from_progress) * passed

    def rate(self, step: int, config: TrainingConfig) -> float:
        """The share of the peak learning rate at `step`."""
        share = schedules.rate_at(self.progress(step), config)
        if self.warm_from == 0:
            return share
        rise = schedules.warmup_of(config) * (self.total - self.warm_from)
        return share * min(1.0, (step - self.warm_from + 1) / max(1.0, rise))

    @property
    def log_every(self) -> int:
        """Steps a line of progress.jsonl."""
        return max(1, min(STEPS_A_LINE, self.total // LINES))

    def due(self, step: int, every: int) -> bool:
        """Whether what happens every so many steps happens after `step` steps."""
        return step % every == 0 or step == self.total

    def revised(self, step: int, total: int) -> Plan:
        """From `step` on, reach the end after `total` steps, with no jump in the schedule."""
        return replace(
            self, total=max(total, step), from_step=step, from_progress=self.progress(step)
        )

    def extended(self, step: int) -> Plan:
        """This plan for a run that has already taken `step` steps by another: warmed up anew."""
        return replace(self, warm_from=step)


def plan_for(
    duration: Duration, config: TrainingConfig, batch_size: int, samples: int
) -> Plan | None:
    """The plan of a duration that is counted in steps; None when time decides."""
    total = duration.steps(batch_size, samples)
    if total is None:
        return None
    return Plan(total, validate_every(total, config, batch_size, samples))


def validate_every(total: int, config: TrainingConfig, batch_size: int, samples: int) -> int:
    """Steps from one validation to the next: an epoch, or a twentieth of the run if longer.

    Raises:
        UserError: the setting is in minutes.
    """
    if config.validate_every is None:
        return max(1, samples // batch_size, total // VALIDATIONS)
    steps = config.validate_every.steps(batch_size, samples)
    if steps is None:
        raise UserError("setting 'training.validate_every' cannot be in minutes.")
    return steps
