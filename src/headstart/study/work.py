"""Who does which piece of work: processes of one machine, or of several on a shared folder.

Each takes the first piece that is not done, that waits for nothing, and whose lock is free. Locks
are the system's own: they are free again when the process that held them is killed, and what it
left half done is continued. Whoever comes later with the same command joins.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

from headstart.errors import InterruptedRunError, UserError
from headstart.study import cells
from headstart.study.cells import Worker
from headstart.study.plan import Item, Plan

PAUSE = 0.5  # seconds between looks at what others have done
GRACE = 20.0  # seconds that each process has to save after an interruption


class Board(Protocol):
    """Who shows how far a comparison is."""

    def begun(self, item: Item) -> None:
        """This process has begun a piece of work."""
        ...

    def update(self, progress: float, text: str) -> None:
        """How far it is."""
        ...

    def look(self, plan: Plan, open_items: int) -> None:
        """Some work may have been done, here or elsewhere."""
        ...


def work(plan: Plan, worker: Worker, board: Board) -> None:
    """Do what is to be done, together with whoever else does, until all of it is."""
    (plan.folder / "locks").mkdir(parents=True, exist_ok=True)
    waiting = {item.name: item for item in plan.items}
    while True:
        for name, item in list(waiting.items()):
            if cells.done(plan, item):
                del waiting[name]
        board.look(plan, len(waiting))
        if not waiting:
            return
        ready = [item for item in waiting.values() if not set(item.needs) & waiting.keys()]
        if not any(_taken(plan, worker, board, item) for item in ready):
            time.sleep(PAUSE)


def _taken(plan: Plan, worker: Worker, board: Board, item: Item) -> bool:
    """Do a piece of work unless somebody else does; whether it is done now."""
    try:
        with FileLock(plan.folder / "locks" / f"{item.name}.lock", timeout=0):
            if not cells.done(plan, item):
                board.begun(item)
                worker.do(item)
            return True
    except Timeout:
        return False


def together(
    plan: Plan, workers: int, board: Board, again: Callable[[Path], Plan], threads: int
) -> None:
    """Do the work with several processes of this machine, each on its share of the processors.

    again: makes the plan anew from the comparison's folder, in another process.

    Raises:
        UserError: what one of them met.
    """
    context = multiprocessing.get_context("spawn")
    told: Any = context.Queue()
    arguments = (plan.folder, again, max(1, threads // workers), told)
    team = [context.Process(target=_one, args=arguments, daemon=False) for _ in range(workers)]
    with _environment(OMP_NUM_THREADS=str(max(1, threads // workers))):  # read when torch is
        for process in team:
            process.start()
    try:
        while any(process.is_alive() for process in team):
            waiting = sum(not cells.done(plan, item) for item in plan.items)
            board.look(plan, waiting)
            time.sleep(PAUSE)
            if any(process.exitcode for process in team):
                break
    except KeyboardInterrupt:
        # A terminal tells them too. They save and stop; a second signal would not let them save.
        for process in team:
            process.join(GRACE)
        raise
    finally:  # who is alive still is so after a mistake of another, or a signal to this one alone
        for process in team:
            if process.is_alive():
                process.terminate()
        for process in team:
            process.join()
    if not told.empty():
        message, hints = told.get()
        raise UserError(message, *hints)
    if any(process.exitcode for process in team):
        raise RuntimeError("a worker process ended unexpectedly; its message is above")


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Silent:
    """Shows nothing."""

    def begun(self, item: Item) -> None:
        """Say nothing."""

    def update(self, progress: float, text: str) -> None:
        """Say nothing."""

    def look(self, plan: Plan, open_items: int) -> None:
        """Say nothing."""


def _one(folder: Path, again: Callable[[Path], Plan], threads: int, told: Any) -> None:
    """One process of several."""
    try:
        plan = again(folder)
        work(plan, Worker(plan, threads), Silent())
    except UserError as error:
        told.put((error.message, error.hints))
        raise SystemExit(2) from None
    except InterruptedRunError as error:
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
