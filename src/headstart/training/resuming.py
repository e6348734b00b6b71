"""Go on with a run where its newest whole checkpoint left it; with more time, if more is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headstart import collectives
from headstart.errors import UserError
from headstart.training import checkpoints, timed
from headstart.training.checkpointing import give
from headstart.training.plan import Plan

if TYPE_CHECKING:
    from headstart.training.engine import Engine


def restore(engine: Engine) -> None:
    """Give an engine the state of its folder's checkpoint, if there is one.

    The first process reads it and hands it to the others, however many there are now.

    Raises:
        UserError: every checkpoint is damaged, or they are of another version of headstart.
    """
    folder = engine.folder
    if folder is None:
        return
    asked = engine.planned
    tree = checkpoints.newest(folder, engine.say) if collectives.rank() == 0 else None
    tree = collectives.from_first(tree)
    if tree is not None:
        try:
            give(engine, tree)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UserError(
                f"the checkpoint in {folder.path} does not fit this version of headstart:"
                f" {str(error).splitlines()[0]}",
                "Finish the run with the version that began it, or start again with --overwrite.",
            ) from error
        if tree["duration"] != str(engine.duration):
            engine.planned = _extended(engine, asked)
        if engine.planned is not None:
            engine.say(f"going on after step {engine.at.step:,} of {engine.planned.total:,}")
    folder.truncate_progress(engine.at.step)


def _extended(engine: Engine, asked: Plan | None) -> Plan | None:
    """The plan of a run whose duration was changed.

    Its schedule is that of the new duration, at the step reached; as a rate that had fallen would
    leap, it rises anew, over `warmup` of the steps that are left.
    """
    before, at = engine.planned, engine.at
    if at.step == 0 or before is None:
        return asked
    if asked is None:
        seconds = engine.overhead.seconds(engine.duration.amount, engine.overhead.begun)
        engine.pace.step = at.seconds / at.step
        asked = timed.fitting(engine, max(0.0, seconds - at.seconds), seconds)
    if asked.total == before.total:
        return before
    at.stopped_early, at.stale = False, 0
    return asked.extended(at.step)
