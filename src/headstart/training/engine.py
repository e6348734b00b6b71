"""The loop: batches in a seeded order, every player's turn, validation, checkpoints, signals.

What it is made of, a file each: plan (how far each step is), pace (how long things take), timed
(plans that end on time), gradients (of one process or many), finite (what is not reaches no
weight), logbook (what is written down), averaging (of weights), selection (of the best weights),
watching (who looks on), checkpointing, resuming and signals.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from headstart import collectives
from headstart.data.loader import Shuffled
from headstart.errors import DivergedError, InterruptedRunError
from headstart.modalities.base import frames_of
from headstart.parts.learner import Learner
from headstart.runs.folder import RunFolder
from headstart.settings import Duration
from headstart.training import devices, optimisers, resuming, timed
from headstart.training.averaging import average_of
from headstart.training.checkpointing import Checkpointer
from headstart.training.config import TrainingConfig
from headstart.training.finite import FiniteGuard
from headstart.training.gradients import Gradient, check_cut, check_shared, cut, norm_of
from headstart.training.logbook import Logbook
from headstart.training.memory import kept_memory, peak
from headstart.training.norms import share_norms
from headstart.training.pace import Pace
from headstart.training.plan import Plan, plan_for
from headstart.training.precision import Precision
from headstart.training.profiling import Clock
from headstart.training.progress import Progress
from headstart.training.selection import ModelSelection
from headstart.training.sharding import Shards
from headstart.training.signals import StopRequest
from headstart.training.timed import Overhead
from headstart.training.watching import Display, Preparation, Validation, Watcher
from headstart.types import Batch, Step

PATIENCE_WITH_NAN = 20  # steps in a row that may be skipped before the run is given up
STEPS_A_VOTE = 8  # on accelerators; the processes of a CPU ask each other after every step


class Engine:
    """Trains one learner on one set of samples.

    duration, batch_size: resolved; `TrainingConfig` may leave them open. batch_size is of all
    processes together. watchers: who looks on. say: where sentences for the user go.
    overhead: what a run that time decides does before and after training.
    """

    def __init__(
        self,
        learner: Learner,
        config: TrainingConfig,
        data: Shuffled,
        preparation: Preparation,
        *,
        duration: Duration,
        batch_size: int,
        seed: int,
        folder: RunFolder | None = None,
        validation: Validation | None = None,
        display: Display | None = None,
        watchers: Sequence[Watcher] = (),
        say: Callable[[str], None] = lambda _: None,
        overhead: Overhead | None = None,
    ) -> None:
        check_cut(learner, config.accumulate)
        check_shared(batch_size)
        self.learner = learner
        self.config = config
        self.data = data
        self.preparation = preparation
        self.duration = duration
        self.batch_size = batch_size
        self.seed = seed
        self.folder = folder
        self.validation = validation
        self.watchers = list(watchers) if collectives.rank() == 0 else []
        self.say = say
        self.overhead = overhead or Overhead()
        self.processes = collectives.world_size()
        self.device = next(learner.parameters()).device
        self.planned: Plan | None = plan_for(duration, config, batch_size, len(data))
        self._ready_weights()
        self._ready_record(display)

    def _ready_weights(self) -> None:
        """What takes the steps: the weights, an optimiser a player, and what watches over them."""
        self.shards = Shards(self.learner, self.config, self.device)
        trained = self.shards.trained
        self._forward: Callable[..., Step] = trained
        self.optimisers: dict[str, Optimizer] = optimisers.of_players(
            self.shards, self.config, self.device
        )
        self._parameters = {n: optimisers.parameters_of(o) for n, o in self.optimisers.items()}
        self._guard = FiniteGuard(trained, self.optimisers.values(), self.device)
        self._average = average_of(
            trained, self.config, self.optimisers.values(), self._first_batches
        )
        self.selection = ModelSelection(self.shards, self._average, self.config.patience)
        self._precision = Precision(trained, self.device, self.config.precision, self.say)

    def _ready_record(self, display: Display | None) -> None:
        """How far training is, how long things take, and where both are written down."""
        self.at = Progress()
        self.pace = Pace(self.config.checkpoint_every)
        self.logbook = Logbook(self.folder, display, self.watchers, len(self.data))
        self.checkpointer = Checkpointer(self)
        self.clock: Clock | None = None
        self._watched: dict[str, Any] = {}
        self._started = time.monotonic()

    @property
    def plan(self) -> Plan:
        """How far each step is; a run that time decides has one once `fit` has measured."""
        assert self.planned is not None
        return self.planned

    # ---------------------------------------------------------------- the loop

    @kept_memory()
    def fit(self, *, resume: bool = False) -> Progress:
        """Train to the end of `duration`, then leave the best weights in the learner.

        Raises:
            InterruptedRunError: a signal came; the checkpoint is written.
            DivergedError: the loss was not finite for many steps in a row.
            UserError: the folder cannot be written.
        """
        self._started = time.monotonic()
        if resume:
            resuming.restore(self)
            self._started -= self.at.seconds
        self.shards.trained.train()
        if self.planned is None:
            self.planned = timed.plan(self)
        if devices.compiles(self.config.compile, self.device, self.plan.total):
            # Around the learner, which keeps the names of its weights.
            self._forward = torch.compile(self.shards.trained)
        self.checkpointer.restart()
        with self.shards.whole():
            for watcher in self.watchers:
                watcher.on_start(self)
        self.pace.restart()
        self.pace.checked = time.monotonic()
        with StopRequest() as stop:
            while self.at.step < self.plan.total and not self.at.stopped_early:
                self.step()
                self._between_steps(stop)
        if self.at.step > self.checkpointer.step:
            self.save()
        self.selection.choose()
        self._precision.end()
        for watcher in self.watchers:
            self._watched |= watcher.on_end(self.learner, self.at)
        return self.at

    def step(self) -> None:
        """One batch, each player's turn in order.

        A turn that is not finite changes nothing, and ends the step; the turns that players of a
        game had before it stand.
        """
        self._seed(self.at.step)
        progress, rate = self.plan.progress(self.at.step), self.plan.rate(self.at.step, self.config)
        with self.phase("data"):
            raw = self._drawn()
        with self.phase("augmentation"):
            batch = self.batch(*raw)
        self._guard.begin()
        for name, optimiser in self.optimisers.items():
            if not self._turn(name, optimiser, batch, progress, rate):
                break
        else:
            self.shards.trained.after_step(progress)
            if self._average is not None:
                self._average.update(self.shards.trained, self.at.step)
        self._guard.end()
        self.at.step += 1
        self.at.position += self.batch_size
        if self._guard.asks:
            self._settle()

    def _turn(
        self, player: str, optimiser: Optimizer, batch: Batch, progress: float, rate: float
    ) -> bool:
        """One player's step; False when it is known not to be finite."""
        parameters = self._parameters[player]
        optimisers.set_rate(optimiser, rate)
        optimiser.zero_grad(set_to_none=True)
        parts, apart = self.config.accumulate, self.shards.apart
        gradient, steps = Gradient(parameters, len(batch), parts, averaged=apart), []
        for part in cut(batch, parts):
            with self.phase("forward"), self._precision.training():
                steps.append(self._forward(part, player=player, progress=progress))
            with self.phase("backward"):
                gradient.add(steps[-1])
        with self.phase("optimiser"):
            self.shards.take_gradients()
            loss = gradient.finish()
            norm = norm_of(parameters, self.config.clip, apart=apart)
            taken = self._guard.step(optimiser, loss, norm)
        prefix = "" if len(self.optimisers) == 1 else f"{player}/"
        for step in steps:
            figures = {"loss": step.loss, **step.logs, "gradient_norm": norm}
            self.logbook.add(prefix, figures, step.weight, self._guard.sound)
        return taken

    def phase(self, name: str) -> AbstractContextManager[None]:
        """What the engine does within, for whoever times it."""
        return nullcontext() if self.clock is None else self.clock.phase(name)

    def _first_batches(self, count: int) -> Iterator[tuple[Batch, float]]:
        """The first batches of the training, always the same, and how far training is."""
        progress = 0.0 if self.planned is None else self.planned.progress(self.at.step)
        self._seed(0)
        for i in range(count):
            yield self.batch(*self.data.at(i * self.batch_size, self.batch_size)), progress

    def _seed(self, step: int) -> None:
        # Every step begins from (seed, step): nothing of the random state need be saved.
        seed = (self.seed << 32) + step
        torch.default_generator.manual_seed(seed)
        if self.device.type != "cpu":
            torch.get_device_module(self.device).manual_seed(seed)

    def _drawn(self) -> tuple[Tensor, Tensor | None]:
        """This process's rows of the next global batch; it reads no others."""
        share = self.batch_size // self.processes
        return self.data.at(self.at.position + collectives.rank() * share, share)

    def batch(self, x: Tensor, y: Tensor | None) -> Batch:
        """Compact samples `[B, ...]` of this process → what the learner trains on: its views.

        What augmentation draws is drawn for the global batch, and each process takes its rows.
        """
        x, y = self._moved(x, y)
        if not (self.learner.augment or self.learner.views > 1):
            return Batch(self.preparation.prepare(x), y, frames=frames_of(self.preparation, x))
        strengths = self.learner.strengths()
        clean = self.preparation.prepare(x) if self.learner.clean else None
        moved = torch.cat([self.preparation.augment(x, strength) for strength in strengths])
        frames = frames_of(self.preparation, x) if len(strengths) == 1 else None
        return Batch(moved, y, len(strengths), clean, frames)

    def plain(self, x: Tensor, y: Tensor | None = None) -> Batch:
        """Compact samples `[B, ...]` → one view each, as they are."""
        x, y = self._moved(x, y)
        return Batch(self.preparation.prepare(x), y, frames=frames_of(self.preparation, x))

    def _moved(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor | None]:
        x = x.to(self.device, non_blocking=True)
        return x, None if y is None else y.to(self.device, non_blocking=True)

    # ---------------------------------------------------------------- between steps

    def _between_steps(self, stop: StopRequest) -> None:
        """Log, validate, save: what is due. A signal ends the run after it was saved."""
        self.pace.count()
        step = self.at.step
        self.at.seconds = time.monotonic() - self._started
        if self.plan.due(step, self.plan.log_every):
            with self.phase("logging"):
                self._log()
        if self.validation is not None and self.plan.due(step, self.plan.validate_every):
            self.logbook.write(self.at, {"validation": self.validate()})
        self.at.seconds = time.monotonic() - self._started
        signal_number, save, total = self._vote(stop)
        if total:
            self.planned = self.plan.revised(step, total)
        if signal_number or save or total:
            self.save()
        if signal_number:
            raise InterruptedRunError(
                signal_number, str(self.folder.path if self.folder else "the run")
            )

    def _vote(self, stop: StopRequest) -> tuple[int, bool, int]:
        """The signal that came, whether to save, a new length or 0: alike in every process."""
        many = collectives.world_size() > 1
        every = STEPS_A_VOTE if many and self.device.type != "cpu" else 1
        if self.at.step % every and self.at.step != self.plan.total:
            return 0, False, 0
        save = self.checkpointer.due()
        total = timed.revision(self.plan, self.pace, self.at)
        if not many:
            return stop.signal or 0, save, total
        first = collectives.rank() == 0
        signal_number, saves, total = collectives.largest(
            stop.signal or 0, int(save and first), total if first else 0
        )
        return signal_number, bool(saves), total

    def _settle(self) -> None:
        """Count the steps that were skipped; too many in a row end the run."""
        sound = self._guard.settle()
        first = self.at.step - len(sound)
        skipped = [first + i for i, good in enumerate(sound) if not good]
        for good in sound:
            self.at.skipped_in_a_row = 0 if good else self.at.skipped_in_a_row + 1
            if self.at.skipped_in_a_row == PATIENCE_WITH_NAN:
                break
        self.at.skipped += len(skipped)
        if skipped and self.watchers:
            self._seed(skipped[-1])
            with collectives.apart():
                whole = self.data.at(skipped[-1] * self.batch_size, self.batch_size)
                batch = self.batch(*whole)
            for watcher in self.watchers:
                watcher.on_skip(batch, skipped[-1])
        if self.at.skipped_in_a_row >= PATIENCE_WITH_NAN:
            raise DivergedError(
                f"training diverged: the loss or its gradient was not a number for"
                f" {PATIENCE_WITH_NAN} steps in a row (up to step {self.at.step}).",
                "No such step reached the weights. Use a lower --lr, or look for huge values with"
                " `headstart inspect`.",
            )

    def _log(self) -> None:
        self._settle()
        self.pace.measure()
        with self.shards.whole():
            self.logbook.training(self.at, self.plan.rate(self.at.step - 1, self.config))
        metric = None if self.validation is None else self.validation.metric
        left = self.pace.left(self.plan, self.at.step)
        self.logbook.show(self.plan.progress(self.at.step), self.at, metric, left)

    def validate(self) -> dict[str, float]:
        """Judge the learner now; `at` and the best weights remember it."""
        assert self.validation is not None
        with self.pace.timing("validation"), self.phase("validation"):
            return self.selection.validate(self.validation, self.watchers, self.at, self.seed)

    def save(self) -> None:
        """Write a checkpoint."""
        self._settle()
        self.checkpointer.save()

    # ---------------------------------------------------------------- what is said of it

    def length(self) -> str:
        """How long training is, in words."""
        if self.planned is None:
            return str(self.duration)
        epochs = self.plan.total * self.batch_size / len(self.data)
        return f"{self.plan.total:,} steps of {self.batch_size} ({epochs:.1f} epochs)"

    def summary(self) -> dict[str, Any]:
        """The part of `result.json` that says how training went."""
        at = self.at
        return {
            "samples": len(self.data),
            "seconds": at.seconds,
            "steps": at.step,
            "batch_size": self.batch_size,
            "processes": self.processes,
            "precision": "bf16" if self._precision.half else "fp32",
            "epochs": at.position / len(self.data),
            "samples_per_second": at.position / max(at.seconds, 1e-9),
            "peak_memory": peak(self.device),
            "loss": at.last_loss,
            "best_step": at.best_step,
            "stopped_early": at.stopped_early,
            **self._watched,
        }


def place(learner: Learner, config: TrainingConfig) -> torch.device:
    """Put a learner where the settings say, with the threads they allow; meet other processes."""
    device = devices.pick(config.device)
    devices.use_threads(config.threads)
    collectives.join(device)
    learner.to(device)
    share_norms(learner)
    return device
