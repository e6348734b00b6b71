"""Training for so many minutes: as many steps as fit, planned at the start, kept to on the way.

A schedule needs to know its end. So a few steps, a validation and a checkpoint are timed and
undone, and the run gets a plan in steps, which its checkpoints hold: a resumed run follows it to
the bit. If the machine turns slower or faster, the rest of the plan is made shorter or longer from
the progress reached; a new plan is in a checkpoint before the first step is taken by it.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headstart import collectives
from headstart.training.checkpointing import give, state_of
from headstart.training.pace import Pace
from headstart.training.plan import Plan, validate_every
from headstart.training.progress import Progress

if TYPE_CHECKING:
    from headstart.training.engine import Engine

WARM, TIMED = 0.01, 0.02  # parts of the time that the first steps, and those timed, may take
MOST_WARM, MOST_TIMED = 5, 50  # steps
VALIDATING = 0.15  # part of the time that validations may take
CHECKS = 20  # of the plan against the clock
SHORTEST_CHECK = 2.0  # seconds
TOLERANCE = 0.01  # part of the time by which the end may be off before the plan is revised
SCORING = 1 / 3  # of the time of a step: forward without backward
# The middle of a training, where all layers learn, at a rate of almost nothing.
REHEARSAL = Plan(10**9, 10**9, from_progress=0.5, warm_from=1)


@dataclass
class Overhead:
    """What of a run's time is not training.

    begun: when the run began, by `time.monotonic`. after: seconds to hold back for what follows.
    scored: samples that are judged after training.
    """

    begun: float = field(default_factory=time.monotonic)
    after: float = 0.0
    scored: int = 0

    def seconds(self, minutes: float, training_begun: float) -> float:
        """What is left for training; half of the time is, whatever else took long."""
        return max(30 * minutes, 60 * minutes - self.after - (training_begun - self.begun))


def plan(engine: Engine) -> Plan:
    """Measure, and plan a run of so many minutes, less what comes before and after training."""
    begun = time.monotonic()
    seconds = engine.overhead.seconds(engine.duration.amount, begun)
    before = copy.deepcopy(state_of(engine))
    engine.planned = REHEARSAL
    _steps(engine, WARM * seconds, MOST_WARM)
    engine.pace.restart()
    _steps(engine, TIMED * seconds, MOST_TIMED)
    engine.pace.measure(shortest=0.0)
    assert engine.pace.step is not None
    seconds -= SCORING * engine.pace.step * engine.overhead.scored / engine.batch_size
    if engine.validation is not None:
        engine.validate()
    give(engine, before)
    engine.save()
    made = fitting(engine, seconds - (time.monotonic() - begun), seconds)
    return Plan(**collectives.from_first(vars(made)))


def fitting(engine: Engine, left: float, seconds: float) -> Plan:
    """A plan of as many steps more as fit in `left` seconds, validations included."""
    pace, done = engine.pace, engine.at.step
    assert pace.step is not None
    rarely = int(pace.validation / VALIDATING / pace.step)
    every = 1
    for _ in range(3):  # how often to validate depends on the number of steps, and it on that
        total = done + pace.steps_in(left, every)
        asked = validate_every(total, engine.config, engine.batch_size, len(engine.data))
        every = asked if engine.config.validate_every else max(asked, rarely)
    return Plan(total, every, seconds=seconds)


def revision(plan: Plan, pace: Pace, at: Progress) -> int:
    """A better number of steps in all, if the plan would end too early or too late; else 0."""
    now = time.monotonic()
    if plan.seconds is None or at.step >= plan.total:
        return 0
    if now - pace.checked < max(SHORTEST_CHECK, plan.seconds / CHECKS):
        return 0
    pace.checked = now
    pace.measure()
    pace.restart()
    left = pace.left(plan, at.step)
    if left is None or abs(at.seconds + left - plan.seconds) <= TOLERANCE * plan.seconds:
        return 0
    return at.step + pace.steps_in(plan.seconds - at.seconds, plan.validate_every)


def _steps(engine: Engine, seconds: float, most: int) -> None:
    begun = time.monotonic()
    for _ in range(most):
        engine.step()
        engine.pace.count()
        over = time.monotonic() - begun >= seconds
        if collectives.largest(int(over))[0]:
            break
