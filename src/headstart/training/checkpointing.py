"""What a checkpoint holds, when one is due, and that it is written."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from headstart.training import checkpoints
from headstart.training.plan import Plan
from headstart.training.progress import Progress

if TYPE_CHECKING:
    from headstart.training.engine import Engine


class Checkpointer:
    """Writes an engine's checkpoints, as often as its settings say."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.step, self._time = 0, time.monotonic()

    def restart(self) -> None:
        """Count from now."""
        self.step, self._time = self._engine.at.step, time.monotonic()

    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        engine = self._engine
        if engine.folder is None:
            return False
        every = engine.config.checkpoint_every
        steps = every.steps(engine.batch_size, len(engine.data))
        if steps is None:
            return time.monotonic() - self._time >= 60 * every.amount
        return engine.at.step - self.step >= steps

    def save(self) -> None:
        """Write a checkpoint. All processes call it together, the first one writes."""
        engine = self._engine
        if engine.folder is not None:
            with engine.pace.timing("checkpoint"), engine.phase("checkpoint"):
                tree = engine.shards.gathered(state_of(engine))
                checkpoints.save(engine.folder, engine.at.step, tree)
            self.restart()


def state_of(engine: Engine) -> dict[str, Any]:
    """All that a run needs to go on as if it had never stopped."""
    return {
        "learner": engine.shards.trained.state_dict(),
        "optimisers": {n: engine.shards.state_of(o) for n, o in engine.optimisers.items()},
        "progress": dict(vars(engine.at)),
        "plan": None if engine.planned is None else dict(vars(engine.planned)),
        "duration": str(engine.duration),
        "judge": engine.selection.state_dict(),
        "figures": engine.logbook.figures.state_dict(),
        "watchers": {w.name: w.state_dict() for w in engine.watchers if w.name},
    }


def give(engine: Engine, tree: dict[str, Any]) -> None:
    """Let an engine take up what `state_of` gave, its own or another's, spread or whole."""
    shards = engine.shards
    shards.trained.load_state_dict(shards.parts(tree["learner"]))
    for name, optimiser in engine.optimisers.items():
        shards.give(optimiser, tree["optimisers"][name])
    engine.at = Progress(**tree["progress"])
    engine.planned = None if tree["plan"] is None else Plan(**tree["plan"])
    engine.selection.load_state_dict(tree["judge"], engine.device)
    engine.logbook.figures.load_state_dict(tree["figures"], engine.device)
    for watcher in engine.watchers:
        if watcher.name in tree["watchers"]:
            watcher.load_state_dict(tree["watchers"][watcher.name])
