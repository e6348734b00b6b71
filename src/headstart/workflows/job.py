"""What pre-training and fine-tuning share: one command makes one run, from folder to result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from headstart.data.loader import Shuffled
from headstart.modalities.base import Modality
from headstart.parts.learner import Learner
from headstart.runs.folder import RunFolder
from headstart.settings import Duration
from headstart.training.config import TrainingConfig
from headstart.training.engine import Engine, place
from headstart.training.health import Health
from headstart.training.timed import Overhead
from headstart.training.watching import Display, Watcher
from headstart.workflows import assemble
from headstart.workflows.assemble import Say
from headstart.workflows.watchers import all_watchers


class Job:
    """Where a run goes, who looks on while it is made, and what the user was told.

    resume: whether it goes on with what is in `folder`; others: see `pretrain` and `finetune`.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        resume: bool,
        overhead: Overhead | None,
        display: Display | None,
        say: Say,
        watchers: Sequence[Watcher],
    ) -> None:
        self.folder = folder
        self.resume = resume
        self.overhead = overhead or Overhead()
        self.display = display
        self.say = say
        self.watchers = list(watchers)
        self.health = Health(say)
        self.notes: list[str] = []

    def engine(
        self,
        learner: Learner,
        training: TrainingConfig,
        data: Shuffled,
        modality: Modality,
        *,
        duration: Duration,
        batch_size: int,
        seed: int,
        scored: int,
    ) -> Engine:
        """What trains the learner, put where `training` says; scored: samples judged afterwards."""
        place(learner, training)
        return Engine(
            learner,
            training,
            data,
            modality,
            duration=duration,
            batch_size=batch_size,
            seed=seed,
            folder=self.folder,
            display=self.display,
            watchers=all_watchers(training, self.health, *self.watchers),
            say=self.say,
            overhead=replace(self.overhead, scored=scored),
        )

    def begin(
        self, settings: dict[str, Any], preprocessing: dict[str, Any], engine: Engine
    ) -> None:
        """See `assemble.begin`."""
        assemble.begin(self.folder, settings, preprocessing, engine, resume=self.resume)

    def note(self, *notes: str) -> None:
        """Say what the result keeps under `notes`."""
        self.notes += notes
        for one in notes:
            self.say(one)

    def finish(
        self,
        about: dict[str, Any],
        engine: Engine,
        figures: dict[str, Any],
        *,
        health: dict[str, Any],
        skipped: dict[str, list[str]],
    ) -> dict[str, Any]:
        """Write `result.json`; returns it."""
        result = {
            "status": "done",
            **about,
            **engine.summary(),
            "wall_seconds": time.monotonic() - self.overhead.begun,
            **figures,
            "health": health,
            "skipped": skipped,
            "notes": self.notes,
            "versions": assemble.versions(),
        }
        self.folder.write_json(self.folder.result, result)
        return result
