"""Trials on disk: an Optuna study in a journal file that several processes share.

A process may be killed at any instant. Each trial that runs is locked by the process that runs it,
and the system lets go of a dead process's locks: whoever comes next takes such a trial up where
its checkpoints left it. Asking, telling and taking up happen under one lock, so that no trial is
begun twice or told twice.
"""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from filelock import FileLock, Timeout

from headstart.errors import UserError
from headstart.study.tuning_spaces import Choice, Knob

if TYPE_CHECKING:
    import optuna
    from optuna.storages.journal import JournalFileBackend

JOURNAL = "trials.journal"
NAME = "headstart"
STARTUP = 8  # trials at random before the search leans on what it found


class _TailLock:
    """The journal's lock: let go of by the system when its process dies, a cut line removed."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._lock = FileLock(journal.with_suffix(".lock"))

    def acquire(self) -> bool:
        """Wait for the journal to be free."""
        self._lock.acquire()
        _drop_cut_line(self._journal)
        return True

    def release(self) -> None:
        """Let others write it."""
        self._lock.release()


def _drop_cut_line(journal: Path) -> None:
    """Remove the half of a line that a power cut may have left: nothing had come of it yet."""
    with journal.open("r+b") as file:
        whole = file.read()
        if whole and not whole.endswith(b"\n"):
            file.truncate(whole.rfind(b"\n") + 1)


def optuna_module() -> Any:
    """Optuna, quiet.

    Raises:
        UserError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise UserError(
            "headstart tune needs Optuna, which is not installed.",
            "Install it: pip install 'headstart[tune]'",
        ) from error
    optuna.logging.set_verbosity(logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


class Journal:
    """The trials of one search in a folder.

    knobs: what varies; seed: of the search; direction: "maximize" or "minimize".
    """

    def __init__(
        self, folder: Path, knobs: Sequence[Knob], *, seed: int, direction: str, prune: bool
    ) -> None:
        self._optuna = optuna_module()
        self.folder = folder
        self.knobs = knobs
        self._by_name = {knob.name: knob for knob in knobs}
        self._seed = seed
        self._claim = FileLock(folder / ".claim.lock")
        pruners = self._optuna.pruners
        self._pruner = (
            pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=WARMUP, n_min_trials=3)
            if prune
            else pruners.NopPruner()
        )
        self._store = self._storage(folder / JOURNAL)
        with self._claim:
            self.study: optuna.Study = self._optuna.create_study(
                storage=self._store, study_name=NAME, direction=direction, load_if_exists=True
            )

    def _storage(self, path: Path) -> Any:
        backend: Callable[..., JournalFileBackend]
        backend = self._optuna.storages.journal.JournalFileBackend
        lock = cast(Any, _TailLock(path))
        return self._optuna.storages.JournalStorage(backend(str(path), lock_obj=lock))

    # ---------------------------------------------------------------- one trial after another

    @contextmanager
    def next(self, most: int, *, fresh: bool = True) -> Iterator[optuna.Trial | None]:
        """A trial to run: one whose process died, or a new one; None when there is none.

        most: trials of the whole search. fresh: whether a new one may begin.
        """
        with self._claim:
            claimed = self._orphan() or (self._asked() if fresh and self._room(most) else None)
        try:
            yield None if claimed is None else claimed[0]
        finally:
            if claimed is not None:
                claimed[1].release()

    def _room(self, most: int) -> bool:
        return len(self._begun()) < most

    def _begun(self) -> list[optuna.trial.FrozenTrial]:
        waiting = self._optuna.trial.TrialState.WAITING
        return [t for t in self.study.get_trials(deepcopy=False) if t.state != waiting]

    def _orphan(self) -> tuple[optuna.Trial, FileLock] | None:
        """A trial that nobody runs any more, with its lock."""
        running = self._optuna.trial.TrialState.RUNNING
        for found in self.study.get_trials(deepcopy=False, states=(running,)):
            lock = self._lock_of(found.number)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            trial = self._optuna.trial.Trial(self._seeded(found.number), found._trial_id)
            self._suggest(trial)
            return trial, lock
        return None

    def _asked(self) -> tuple[optuna.Trial, FileLock]:
        number = len(self._begun())
        if number == 0 and not self.study.get_trials(deepcopy=False):
            self.study.enqueue_trial({k.name: _key(k.first) for k in self.knobs})
        trial = self._seeded(number).ask()
        lock = self._lock_of(trial.number)
        lock.acquire(timeout=0)
        self._suggest(trial)
        return trial, lock

    def _seeded(self, number: int) -> optuna.Study:
        """The study, about to choose a trial's settings."""
        # Seeded by the trial: a search that was killed asks what it would have asked.
        sampler = self._optuna.samplers.TPESampler(
            seed=((self._seed << 16) + number) % 2**32,
            n_startup_trials=STARTUP,
            multivariate=True,
            constant_liar=True,
        )
        study: optuna.Study = self._optuna.load_study(
            study_name=NAME, storage=self._store, sampler=sampler, pruner=self._pruner
        )
        return study

    def _suggest(self, trial: optuna.Trial) -> None:
        for knob in self.knobs:
            range_ = knob.range
            if isinstance(range_, Choice):
                trial.suggest_categorical(knob.name, [_key(v) for v in range_.values])
            elif range_.whole:
                trial.suggest_int(knob.name, int(range_.low), int(range_.high), log=range_.log)
            else:
                trial.suggest_float(knob.name, range_.low, range_.high, log=range_.log)

    def _lock_of(self, number: int) -> FileLock:
        place = self.place(number)
        place.mkdir(parents=True, exist_ok=True)
        return FileLock(place / ".lock")

    def place(self, number: int) -> Path:
        """The folder of a trial's runs while it runs."""
        return self.folder / "trials" / f"{number:04d}"

    def values(self, params: dict[str, Any]) -> dict[str, Any]:
        """What a trial's parameters, as Optuna keeps them, stand for, by knob."""
        return {name: _value(self._by_name[name], key) for name, key in params.items()}

    def tell(self, trial: optuna.Trial, value: float | None, *, why: str = "") -> None:
        """Note how a trial ended, and remove its runs: a value, or None and why there is none.

        An empty `why` means that it was pruned.
        """
        state = self._optuna.trial.TrialState
        with self._claim:
            if value is not None:
                self.study.tell(trial, value)
            elif why:
                trial.set_user_attr("why", why)
                self.study.tell(trial, state=state.FAIL)
            else:
                self.study.tell(trial, state=state.PRUNED)
            shutil.rmtree(self.place(trial.number), ignore_errors=True)

    # ---------------------------------------------------------------- what was found

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """All trials so far, in the order they began."""
        return self.study.get_trials()

    def done(self) -> list[optuna.trial.FrozenTrial]:
        """Those that have a value."""
        complete = self._optuna.trial.TrialState.COMPLETE
        return self.study.get_trials(states=(complete,))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other process of the search asks or tells meanwhile."""
        with self._claim:
            yield


WARMUP = 30  # per cent of a trial's first training before it may be ended


def _key(value: Any) -> Any:
    """A value as Optuna may keep it: lists as text."""
    if isinstance(value, tuple):
        return "-".join(str(item) for item in value)
    return value


def _value(knob: Knob, key: Any) -> Any:
    if isinstance(knob.range, Choice):
        return next(v for v in knob.range.values if _key(v) == key)
    return key
