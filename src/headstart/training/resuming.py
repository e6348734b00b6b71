"""Go on with a run where its newest whole checkpoint left it; with more time, if more is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headstart import collectives
from headstart.errors import UserError
from headstart.settings import Duration
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


def check_length(engine: Engine, before: str | None) -> None:
    """Before anything is written of a run that goes on: it may become longer, and not shorter.

    before: the duration that it had, as config.yaml says it. The first process decides for all.

    Raises:
        UserError: it has been trained for longer already.
    """
    done = collectives.from_first(_too_long(engine, before) if collectives.rank() == 0 else None)
    if done is not None:
        raise UserError(
            f"--resume continues {done} already; {engine.length()} would be less, and what was"
            " learned is not taken back.",
            "Ask for more to train it longer, repeat the first command, or choose another --out.",
        )


def _too_long(engine: Engine, before: str | None) -> str | None:
    """What a run has done that is more than it is asked for now; None if it has not."""
    folder = engine.folder
    if folder is None or before in (None, str(engine.duration)) or not folder.checkpoint_files():
        return None
    if engine.planned is not None:
        step = int(folder.checkpoint_files()[0].stem.removeprefix("step-"))
        shorter = engine.planned.total < step
        return f"{folder.path}, which has taken {step:,} steps" if shorter else None
    was = Duration.parse(before)
    less = was.unit == engine.duration.unit and engine.duration.amount < was.amount
    if less and folder.result.exists():
        return f"{folder.path}, which has been trained for {before}"
    trained = max((line["seconds"] for line in folder.read_progress()), default=0.0)
    if 0 < trained >= _seconds(engine):
        return f"{folder.path}, which has learned for {trained / 60:.2g} minutes, reading apart,"
    return None


def _seconds(engine: Engine) -> float:
    """What a duration in minutes leaves for training in all."""
    return engine.overhead.seconds(engine.duration.amount, engine.overhead.begun)


def _extended(engine: Engine, asked: Plan | None) -> Plan | None:
    """The plan of a run whose duration was changed.

    Its schedule is that of the new duration, at the step reached; as a rate that had fallen would
    leap, it rises anew, over `warmup` of the steps that are left.
    """
    before, at = engine.planned, engine.at
    if at.step == 0 or before is None:
        return asked
    if asked is None:
        seconds = _seconds(engine)
        engine.pace.step = at.seconds / at.step
        asked = timed.fitting(engine, max(0.0, seconds - at.seconds), seconds)
    if asked.total == before.total:
        return before
    at.stopped_early, at.stale = False, 0
    return asked.extended(at.step)
