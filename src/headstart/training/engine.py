"""The loop: batches in a seeded order, every player's step, validation, checkpoints, signals."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from headstart.data.loader import Loader
from headstart.errors import InterruptedRunError, UserError
from headstart.parts.learner import Learner
from headstart.runs.folder import RunFolder
from headstart.settings import Duration
from headstart.training import checkpoints, devices, optimisers
from headstart.training.config import TrainingConfig
from headstart.training.signals import StopRequest
from headstart.types import Batch

PATIENCE_WITH_NAN = 20  # steps in a row that may be skipped before the run is given up


class Preparation(Protocol):
    """The part of a modality that the engine needs."""

    def prepare(self, x: Tensor) -> Tensor:
        """A compact batch → what the network sees."""

    def augment(self, x: Tensor) -> Tensor:
        """A compact batch → an augmented one."""


class Display(Protocol):
    """Where progress is shown."""

    def update(self, progress: float, text: str) -> None:
        """Show how far training is."""


@dataclass
class Validation:
    """How to judge the learner while it trains.

    run: evaluates and gives named figures; metric: the one that chooses; direction: max or min.
    """

    run: Callable[[], dict[str, float]]
    metric: str
    direction: str


@dataclass
class Progress:
    """Where a run stands; all of it is in a checkpoint."""

    step: int = 0
    position: int = 0
    seconds: float = 0.0
    skipped: int = 0
    skipped_in_a_row: int = 0
    stale: int = 0
    best: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    first_loss: float | None = None
    last_loss: float | None = None
    stopped_early: bool = False


class Engine:
    """Trains one learner on one set of samples.

    duration, batch_size: resolved; `TrainingConfig` may leave them open.
    """

    def __init__(
        self,
        learner: Learner,
        config: TrainingConfig,
        data: Loader,
        preparation: Preparation,
        *,
        duration: Duration,
        batch_size: int,
        seed: int,
        folder: RunFolder | None = None,
        validation: Validation | None = None,
        display: Display | None = None,
    ) -> None:
        self.learner = learner
        self.config = config
        self.data = data
        self.preparation = preparation
        self.duration = duration
        self.batch_size = batch_size
        self.seed = seed
        self.folder = folder
        self.validation = validation
        self.display = display
        self.device = next(learner.parameters()).device
        self.at = Progress()
        self.best_weights: dict[str, Tensor] | None = None
        self.total_steps = duration.steps(batch_size, len(data))
        self.players = learner.players()
        rates = learner.rates()
        self.optimisers: dict[str, Optimizer] = {
            name: optimisers.build(parameters, config, rates, self.device)
            for name, parameters in self.players.items()
        }
        self._parameters = {
            name: [p for group in o.param_groups for p in group["params"]]
            for name, o in self.optimisers.items()
        }
        self._sums: dict[str, Tensor] = {}
        self._summed = 0
        self._ema = (
            {k: v.detach().clone() for k, v in learner.state_dict().items()} if config.ema else None
        )

    # ---------------------------------------------------------------- the loop

    def fit(self, *, resume: bool = False) -> Progress:
        """Train to the end of `duration`, then leave the best weights in the learner.

        Raises:
            InterruptedRunError: a signal came; the checkpoint is written.
            UserError: training diverged, or the folder cannot be written.
        """
        if resume and self.folder is not None:
            self._restore(checkpoints.newest(self.folder))
        self.learner.train()
        started = saved = time.monotonic() - self.at.seconds
        saved = time.monotonic()
        with StopRequest() as stop:
            while (progress := self._progress()) < 1.0 and not self.at.stopped_early:
                self._step(progress)
                self.at.seconds = time.monotonic() - started
                if self._due(self._log_every()):
                    self._log(progress)
                if self.validation is not None and self._due(self._validate_every()):
                    self._validate()
                    self.at.seconds = time.monotonic() - started
                if stop.signal is not None:
                    self._save()
                    raise InterruptedRunError(
                        stop.signal, str(self.folder.path if self.folder else "the run")
                    )
                if self._checkpoint_due(saved):
                    self._save()
                    saved = time.monotonic()
        self._finish()
        return self.at

    def _step(self, progress: float) -> None:
        # Every step begins from (seed, step): nothing of the random state need be saved.
        torch.default_generator.manual_seed((self.seed << 32) + self.at.step)
        if self.device.type == "cuda":
            torch.cuda.manual_seed((self.seed << 32) + self.at.step)
        batch = self.batch(*self.data.at(self.at.position, self.batch_size))
        share = optimisers.rate_at(progress, self.config)
        sound = True
        for name, optimiser in self.optimisers.items():
            optimisers.set_rate(optimiser, share)
            optimiser.zero_grad(set_to_none=True)
            step = self.learner(batch, player=name, progress=progress)
            step.loss.backward()
            norm = self._gradient_norm(name)
            if not math.isfinite(float(step.loss.detach() + norm)):
                sound = False
                break
            optimiser.step()
            self._add(name, step.loss.detach(), step.logs)
        self._count(sound=sound)
        if sound:
            self.learner.after_step(progress)
            self._average()
        self.at.step += 1
        self.at.position += self.batch_size

    def batch(self, x: Tensor, y: Tensor | None) -> Batch:
        """Compact samples `[B, ...]` → what the learner trains on: its views, augmented."""
        if not (self.learner.augment or self.learner.views > 1):
            return self.plain(x, y)
        x, y = self._moved(x, y)
        views = self.learner.views
        many = x if views == 1 else x.repeat(views, *[1] * (x.ndim - 1))
        clean = self.preparation.prepare(x) if self.learner.clean else None
        return Batch(self.preparation.augment(many), y, views, clean)

    def plain(self, x: Tensor, y: Tensor | None = None) -> Batch:
        """Compact samples `[B, ...]` → one view each, as they are."""
        x, y = self._moved(x, y)
        return Batch(self.preparation.prepare(x), y)

    def _moved(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor | None]:
        x = x.to(self.device, non_blocking=True)
        return x, None if y is None else y.to(self.device, non_blocking=True)

    def _gradient_norm(self, player: str) -> Tensor:
        gradients = [p.grad for p in self._parameters[player] if p.grad is not None]
        if not gradients:
            return torch.zeros((), device=self.device)
        norm = torch.nn.utils.get_total_norm(gradients)
        if self.config.clip is not None:
            torch.nn.utils.clip_grads_with_norm_(self._parameters[player], self.config.clip, norm)
        return norm

    def _count(self, *, sound: bool) -> None:
        if sound:
            self.at.skipped_in_a_row = 0
            return
        self.at.skipped += 1
        self.at.skipped_in_a_row += 1
        if self.at.skipped_in_a_row >= PATIENCE_WITH_NAN:
            raise UserError(
                f"training diverged: the loss or its gradient was not a number for"
                f" {PATIENCE_WITH_NAN} steps in a row (up to step {self.at.step}).",
                "No such step reached the weights. Use a lower --lr, or look for huge values with"
                " `headstart inspect`.",
            )

    def _average(self) -> None:
        if self._ema is None:
            return
        # A young average follows closely, or the untrained beginning would weigh for long.
        keep = min(self.config.ema, (1 + self.at.step) / (10 + self.at.step))
        with torch.no_grad():
            for name, value in self.learner.state_dict().items():
                if value.is_floating_point():
                    self._ema[name].lerp_(value, 1 - keep)
                else:
                    self._ema[name].copy_(value)

    # ---------------------------------------------------------------- time

    def _progress(self) -> float:
        if self.total_steps is not None:
            return self.at.step / self.total_steps
        return self.at.seconds / (60 * self.duration.amount)

    def _log_every(self) -> int:
        if self.total_steps is None:
            return 50
        return max(1, min(50, self.total_steps // 40))

    def _validate_every(self) -> int:
        if self.config.validate_every is not None:
            steps = self.config.validate_every.steps(self.batch_size, len(self.data))
            if steps is None:
                raise UserError("setting 'training.validate_every' cannot be in minutes.")
            return steps
        epoch = max(1, len(self.data) // self.batch_size)
        return max(epoch, (self.total_steps or 0) // 20)

    def _due(self, every: int) -> bool:
        return self.at.step % every == 0 or self.at.step == self.total_steps

    def _checkpoint_due(self, saved: float) -> bool:
        if self.folder is None:
            return False
        every = self.config.checkpoint_every
        steps = every.steps(self.batch_size, len(self.data))
        if steps is None:
            return time.monotonic() - saved >= 60 * every.amount
        return self.at.step % steps == 0

    # ---------------------------------------------------------------- figures

    def _add(self, player: str, loss: Tensor, logs: dict[str, Tensor]) -> None:
        prefix = "" if len(self.optimisers) == 1 else f"{player}/"
        for name, value in {"loss": loss, **logs}.items():
            key = prefix + name
            self._sums[key] = self._sums[key] + value if key in self._sums else value.clone()
        self._summed += 1

    def _log(self, progress: float) -> None:
        count = max(1, self._summed // len(self.optimisers))
        figures = {name: float(value) / count for name, value in self._sums.items()}
        self._sums, self._summed = {}, 0
        loss = sum(v for k, v in figures.items() if k == "loss" or k.endswith("/loss"))
        if self.at.first_loss is None:
            self.at.first_loss = loss
        self.at.last_loss = loss
        self._record({"train": figures, "lr_share": optimisers.rate_at(progress, self.config)})
        if self.display is not None:
            self.display.update(self._progress(), f"loss {loss:.4f}{self._best_text()}")

    def _best_text(self) -> str:
        if self.validation is None or not self.at.best:
            return ""
        return f" · best {self.validation.metric} {self.at.best[self.validation.metric]:.4f}"

    def _record(self, figures: dict[str, Any]) -> None:
        if self.folder is not None:
            epoch = self.at.position / len(self.data)
            line = {"step": self.at.step, "epoch": round(epoch, 4), "seconds": self.at.seconds}
            self.folder.append_progress({**line, **figures})

    def _validate(self) -> None:
        assert self.validation is not None
        # The same draws each time, so that figures differ by the weights alone.
        torch.default_generator.manual_seed(self.seed)
        kept = self._swap_in_average()
        self.learner.eval()
        with torch.no_grad():
            figures = self.validation.run()
        self.learner.train()
        self._record({"validation": figures})
        sign = 1.0 if self.validation.direction == "max" else -1.0
        value = sign * figures[self.validation.metric]
        if not self.at.best or value > sign * self.at.best[self.validation.metric]:
            self.at.best, self.at.best_step, self.at.stale = figures, self.at.step, 0
            self.best_weights = {k: v.clone() for k, v in self.learner.state_dict().items()}
        else:
            self.at.stale += 1
            patience = self.config.patience
            self.at.stopped_early = patience is not None and self.at.stale >= patience
        if kept is not None:
            self.learner.load_state_dict(kept)

    def _swap_in_average(self) -> dict[str, Tensor] | None:
        if self._ema is None:
            return None
        kept = {k: v.clone() for k, v in self.learner.state_dict().items()}
        self.learner.load_state_dict(self._ema)
        return kept

    def length(self) -> str:
        """How long training is, in words."""
        if self.total_steps is None:
            return str(self.duration)
        epochs = self.total_steps * self.batch_size / len(self.data)
        return f"{self.total_steps:,} steps of {self.batch_size} ({epochs:.1f} epochs)"

    def summary(self) -> dict[str, Any]:
        """The part of `result.json` that says how training went."""
        at = self.at
        return {
            "samples": len(self.data),
            "seconds": at.seconds,
            "steps": at.step,
            "batch_size": self.batch_size,
            "epochs": at.position / len(self.data),
            "samples_per_second": at.position / max(at.seconds, 1e-9),
            "loss": at.last_loss,
            "best_step": at.best_step,
            "stopped_early": at.stopped_early,
        }

    # ---------------------------------------------------------------- state

    def _finish(self) -> None:
        if self.folder is not None:
            self._save()
        if self.best_weights is not None:
            self.learner.load_state_dict(self.best_weights)
        elif self._ema is not None:
            self.learner.load_state_dict(self._ema)
        self.learner.eval()

    def _save(self) -> None:
        if self.folder is None:
            return
        tree = {
            "learner": self.learner.state_dict(),
            "optimisers": {name: o.state_dict() for name, o in self.optimisers.items()},
            "progress": vars(self.at),
            "best_weights": self.best_weights,
            "average": self._ema,
            "sums": self._sums,
            "summed": self._summed,
        }
        checkpoints.save(self.folder, self.at.step, tree)

    def _restore(self, tree: dict[str, Any] | None) -> None:
        if tree is None:
            return
        self.learner.load_state_dict(tree["learner"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(tree["optimisers"][name])
        self.at = Progress(**tree["progress"])
        self.best_weights, self._ema = tree["best_weights"], tree["average"]
        self._sums = {k: v.to(self.device) for k, v in tree["sums"].items()}
        self._summed = tree["summed"]
        if self.folder is not None:
            self.folder.truncate_progress(self.at.step)


def place(learner: Learner, config: TrainingConfig) -> torch.device:
    """Put a learner where the settings say, with the threads they allow."""
    device = devices.pick(config.device)
    devices.use_threads(config.threads)
    learner.to(device)
    return device
