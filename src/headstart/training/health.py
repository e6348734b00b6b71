"""Does it go well? Looks on while a learner trains, and says in a sentence what is wrong.

detectors: what can be wrong, as pure functions; embeddings: the figures they judge by. Here both
meet a training: a look at the encoder some twenty times a run, every sentence once, when it is
first seen, and a verdict at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from headstart import collectives
from headstart.data.loader import Order
from headstart.parts.distributions import diversity, frechet_distance, reduced
from headstart.parts.learner import Learner
from headstart.parts.views import direction_std
from headstart.runs import state
from headstart.training import detectors
from headstart.training.detectors import Finding
from headstart.training.embeddings import embedding_figures, look
from headstart.training.watching import Watcher
from headstart.types import Batch

if TYPE_CHECKING:
    from headstart.training.engine import Engine

PROBE = 256  # samples that are looked at
FEWEST_LOOKS, MOST_LOOKS = 3, 20  # at the encoder, in a run
COST = 0.02  # of the run that looking may take, where that allows the fewest looks
BAD_BATCH = "bad-batch.safetensors"
FAILURES = {"collapse", "average answer", "divergence"}
# Seen in the encoder as it is: may be over later. The others are events.
STATES = {"collapse", "average answer", "plateau", "dimensional collapse", "dead units"}
FEWEST_STEPS = 200  # before, not having learned is no fault, unless the run is over


class Health(Watcher):
    """Every detector, and where its sentences go.

    say: shows a sentence at the time it is first true.
    """

    name = "health"

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._engine: Engine | None = None
        self._probe: tuple[Tensor, Tensor | None] | None = None
        self.findings: list[dict[str, str]] = []
        self._losses: list[float] = []
        self._norms: dict[str, list[float]] = {}
        self._rows: list[tuple[float, float, float]] = []
        self._present: set[str] = set()
        self._looks, self._looked = MOST_LOOKS, -1
        self._skipped_last = -2
        self._bad_step: int | None = None

    # ---------------------------------------------------------------- what the engine calls

    def on_start(self, engine: Engine) -> None:
        """Remember whom to look at, and by which samples of train: unaugmented, always the same."""
        self._engine = engine
        self._probe = engine.data.at(0, min(PROBE, len(engine.data)))
        # A look is two forward passes; a step is about three.
        trained = 3 * engine.plan.total * engine.batch_size
        self._looks = min(MOST_LOOKS, max(FEWEST_LOOKS, int(COST * trained / (2 * PROBE))))

    def on_log(self, record: dict[str, Any]) -> None:
        """Judge the losses and the gradient; now and then look at the encoder."""
        if self._engine is None:
            return
        if "train" in record:
            self._judge_line(record["train"])
            progress = self._engine.plan.progress(self._engine.at.step)
            if int(progress * self._looks) > self._looked:
                self._looked = int(progress * self._looks)
                record["health"] = self._look(progress)
        if "loss" in record.get("validation", {}) and self._losses:
            self._rows.append((record["epoch"], self._losses[-1], record["validation"]["loss"]))
            self._note(detectors.overfitting(self._rows))

    def on_skip(self, batch: Batch, step: int) -> None:
        """Keep the first batch of a row of them that was not a number."""
        first_of_row = step > self._skipped_last + 1
        self._skipped_last = step
        if not first_of_row or self._engine is None or self._engine.folder is None:
            return
        self._bad_step, engine = step, self._engine
        path = self._engine.folder.path / BAD_BATCH
        order = Order(len(engine.data), engine.seed)
        samples = order.take(step * engine.batch_size, engine.batch_size)
        save_batch(path, batch, step, samples)
        self._say(
            f"step {step} gave a loss or gradient that is not a number; it was skipped. Its batch"
            f" is kept in {path}."
        )

    # ---------------------------------------------------------------- the end

    def verdict(self, engine: Engine, losses: tuple[float, float] | None = None) -> dict[str, Any]:
        """`{"verdict": "healthy" | "warning" | "failed", "findings": [...], figures...}`.

        Looks once more, at the weights that are kept. losses: theirs on train and on validation.
        """
        if self._engine is None:  # of several processes only the first has looked on
            self.on_start(engine)
        figures = {**self._look(1.0), "skipped_steps": engine.at.skipped}
        file = BAD_BATCH if self._bad_step is not None else None
        self._note(detectors.not_a_number(engine.at.skipped, self._bad_step, file))
        if losses is not None:
            self._note(detectors.gap(*losses))
        for finding in self.findings:
            if finding["name"] in STATES - self._present:
                finding["message"] += " By the end of the training that was over."
        names = {f["name"] for f in self.findings} - (STATES - self._present)
        # Samples of a blurring decoder are alike too; in a game it means that one side has lost.
        fatal = FAILURES | ({"mode collapse"} if len(engine.optimisers) > 1 else set())
        verdict = "failed" if names & fatal else "warning" if names else "healthy"
        return {"verdict": verdict, "findings": self.findings, **figures}

    # ---------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """What was seen and said."""
        return {
            "findings": list(self.findings),
            "losses": list(self._losses),
            "norms": {name: list(norms) for name, norms in self._norms.items()},
            "rows": list(self._rows),
            "looked": self._looked,
            "skipped_last": self._skipped_last,
            "bad_step": self._bad_step,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self.findings = list(state["findings"])
        self._losses = list(state["losses"])
        self._norms = {name: list(norms) for name, norms in state["norms"].items()}
        self._rows = list(state["rows"])
        self._looked = state["looked"]
        self._skipped_last, self._bad_step = state["skipped_last"], state["bad_step"]

    # ---------------------------------------------------------------- judging

    def _note(self, finding: Finding | None) -> None:
        """Keep a finding and say it, unless one of that name was said before."""
        if finding is None:
            return
        self._present.add(finding.name)
        if finding.name in {known["name"] for known in self.findings}:
            return
        self.findings.append(finding.plain())
        self._say(str(finding))

    def _judge_line(self, train: dict[str, float]) -> None:
        for name, norm in train.items():
            if name.endswith("gradient_norm"):
                norms = self._norms.setdefault(name, [])
                norms.append(norm)
                self._note(detectors.explosion(norms))
        if "loss" in train:  # players have losses of their own, which may well rise
            self._losses.append(train["loss"])
            if self._engine is not None and not self._engine.learner.chases:
                self._note(detectors.divergence(self._losses))

    @torch.no_grad()
    def _look(self, progress: float) -> dict[str, Any]:
        """Figures of the encoder as it is, and what they say."""
        assert self._engine is not None
        assert self._probe is not None
        engine, learner = self._engine, self._engine.learner
        was_training, self._present = learner.training, set()
        if engine.at.step < FEWEST_STEPS and progress < 1.0:
            progress = 0.0
        learner.eval()
        with collectives.apart():
            probe = engine.plain(*self._probe)
            pooled, layers = look(learner.encoder, probe)
            figures = embedding_figures(pooled)
            self._note(detectors.collapse(figures))
            self._note(detectors.low_rank(figures, progress))
            self._note(detectors.dead_units(figures, layers))
            figures |= self._look_at_projections(learner, probe, progress)
            figures |= self._compare_with_trivial(learner, probe, progress)
            if progress >= 1.0:
                figures |= self._judge_made(learner, probe.x)
        learner.train(was_training)
        return figures

    def _compare_with_trivial(
        self, learner: Learner, probe: Batch, progress: float
    ) -> dict[str, float]:
        trivial = learner.trivial_loss(probe)
        if trivial is None or learner.views > 1:
            self._note(detectors.standstill(self._losses, progress))
            return {}
        scores = learner.score(probe)
        reconstructs = "reconstruction" in scores
        loss = float(scores["reconstruction" if reconstructs else "loss"])
        self._note(detectors.trivial_answer(loss, trivial, progress, reconstructs=reconstructs))
        return {"trivial_loss": trivial, "reconstruction_loss" if reconstructs else "loss": loss}

    def _look_at_projections(
        self, learner: Learner, probe: Batch, progress: float
    ) -> dict[str, float]:
        z = learner.project(probe)
        if z is None or len(z) < 2:
            return {}
        share = float(direction_std(z))
        self._note(detectors.same_direction(share, progress))
        return {"projection_spread": share}

    def _judge_made(self, learner: Learner, real: Tensor) -> dict[str, float]:
        """New samples by their law (of pictures at 8×8 pixels) and by how much they differ."""
        made = learner.sample(len(real))
        if made is None or len(real) < 2:
            return {}
        share = float(diversity(made)) / max(float(diversity(real)), 1e-9)
        self._note(detectors.mode_collapse(share))
        distance = float(frechet_distance(reduced(made), reduced(real)))
        return {"frechet_distance": distance, "diversity": share}


def save_batch(path: Path, batch: Batch, step: int, index: Tensor) -> None:
    """Write a batch as the network saw it, and which samples of train it was made of.

    `headstart.runs.state.load` reads it back: `step`, `samples` (row numbers), `views`, `x`, `y`.
    """
    tree = {"step": step, "samples": index, "views": batch.views, "x": batch.x, "y": batch.y}
    state.save(path, tree)
