"""`--objective auto`: a short try of each sensible objective, and which one is to go on.

Every candidate trains the same network on the same samples for an equal part of a share of the
time, and is then judged without any label (`workflows.judges`); with `--probe`, by a linear probe,
cross-validated on labels of train, which the result then counts.

What was tried is thrown away. The chosen objective starts anew with the time that is left, so the
run is the one that `--objective NAME` would have been, and its config.yaml repeats it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from headstart import collectives, objectives
from headstart.backbones.base import Backbone
from headstart.data.loader import Loader
from headstart.errors import DivergedError, UserError
from headstart.modalities.base import Modality
from headstart.parts.learner import Learner
from headstart.runs.folder import RunFolder
from headstart.settings import Duration, Faults, Settings, resolve, setting
from headstart.training.engine import Engine, place
from headstart.training.timed import Overhead
from headstart.workflows import assemble
from headstart.workflows.assemble import Say
from headstart.workflows.config import AUTO, PretrainConfig
from headstart.workflows.judges import Judge

FILE = "bakeoff.json"
USUAL_BATCH = 256  # of those that compare views; steps of a bake-off are counted in it
FEWEST_STEPS = 10
SHORTEST = 1 / 30  # minutes


class AutoConfig(Settings):
    """What is tried, and for how long."""

    candidates: tuple[str, ...] = setting(
        (),
        "objectives to try, by default what suits the kind of data; those that do not fit the"
        " network or the samples are left out",
        flag="",
    )
    share: float = setting(
        0.25, "part of the budget that trying takes, all together", flag="", above=0, below=1
    )


@dataclass
class Tried:
    """One candidate: how far it came, and its score; `why` it was left out otherwise.

    seconds: of all of it; trained: of its steps alone.
    """

    objective: str
    steps: int = 0
    seconds: float = 0.0
    trained: float = 0.0
    score: float | None = None
    why: str = ""


@dataclass
class BakeOff:
    """What was found. judged_by: 'views found', or 'linear probe' with the number of `labels`."""

    chosen: str
    judged_by: str
    labels: int
    tried: list[Tried]


@dataclass
class TrialSetup:
    """What every candidate shares: a fresh network, samples, how they are prepared, a judge."""

    config: PretrainConfig
    fresh: Callable[[], Backbone]
    modality: Modality
    train: Loader
    judge: Judge


def settings_of(config: PretrainConfig, faults: Faults) -> AutoConfig | None:
    """`AutoConfig`, where it was asked for."""
    if config.objective.get("name") != AUTO:
        return None
    raw = {name: value for name, value in config.objective.items() if name != "name"}
    auto = resolve(AutoConfig, raw, faults, "objective")
    for name in auto.candidates if auto else ():
        if name not in objectives.table:
            faults.add(f"objective.candidates: there is no objective '{name}'.")
    return auto


def lengths(
    auto: AutoConfig, asked: Duration, samples: int, batch_size: int
) -> tuple[Duration, Duration]:
    """How long trying may take in all, and what is left for the chosen one.

    Of minutes the rest is not reduced here: the engine counts from when the run began.
    """
    steps = asked.steps(batch_size, samples)
    if steps is None:
        return Duration(auto.share * asked.amount, "minutes"), asked
    trying = max(1, round(auto.share * steps))
    return Duration(trying, "steps"), Duration(max(1, steps - trying), "steps")


def bake_off(auto: AutoConfig, setup: TrialSetup, whole: Duration, say: Say) -> BakeOff:
    """Try every candidate that fits and judge it.

    whole: how long all of them may take together.

    Raises:
        UserError: none fits, none could be trained, or the time is too short.
    """
    results, fit = fitting(auto.candidates, setup)
    if not fit:
        raise UserError(
            "none of the candidates fits these samples and this network.", *_reasons(results)
        )
    each = _share_of(whole, len(fit))
    say(f"trying {', '.join(fit)}, {each} each, judged by {setup.judge.name}")
    if setup.judge.note:
        say(setup.judge.note)
    for name in fit:
        result = tried(name, setup, each)
        results.append(result)
        said = f"left out: {result.why}" if result.score is None else f"{result.score:.3f}"
        say(f"  {name}: {said} after {result.steps:,} steps, {result.seconds:.1f} s")
    judged = [t for t in results if t.score is not None]
    if not judged:
        raise UserError(
            "none of the candidates could be trained on these samples.",
            *_reasons(results),
            "Look for huge values with `headstart inspect`, or use a lower --lr.",
        )
    best = max(judged, key=lambda t: t.score or 0.0)
    found = BakeOff(best.objective, setup.judge.name, setup.judge.labels, results)
    say(f"{found.chosen} goes on: the best by {found.judged_by}")
    return found


def _reasons(left_out: Sequence[Tried]) -> list[str]:
    return [f"- {t.objective}: {t.why}" for t in left_out]


def fitting(names: Sequence[str], setup: TrialSetup) -> tuple[list[Tried], list[str]]:
    """Candidates that do not fit, with the reason, and names of those that do."""
    left_out, fit = [], []
    for name in names:
        try:
            learner_for(name, setup)
            fit.append(name)
        except UserError as error:
            left_out.append(Tried(name, why=error.message))
    return left_out, fit


def learner_for(name: str, setup: TrialSetup) -> Learner:
    """The objective of that name on a fresh network.

    Raises:
        UserError: it does not fit the samples or the network.
    """
    faults = Faults()
    chosen = assemble.component(objectives.table, {"name": name}, "", "objective", faults)
    faults.raise_if_any()
    assemble.check_reads(chosen, setup.modality.spec)
    encoder = setup.fresh()
    if not isinstance(encoder, chosen.cls.needs):
        raise UserError(f"it needs a {chosen.cls.needs.__name__.lower()} network")
    learner: Learner = chosen.cls(chosen.config, encoder, setup.modality.spec)
    return learner


def _share_of(whole: Duration, parts: int) -> Duration:
    amount = whole.amount / parts
    if whole.unit == "steps":
        amount = int(amount)
    if amount < (FEWEST_STEPS if whole.unit == "steps" else SHORTEST):
        raise UserError(
            f"{whole} are too short to try {parts} objectives.",
            "Give more time, raise objective.share, name fewer objective.candidates, or choose"
            " an --objective.",
        )
    return Duration(amount, whole.unit)


def tried(name: str, setup: TrialSetup, length: Duration) -> Tried:
    """Train one candidate, and judge it; one that goes astray is left out."""
    begun = time.monotonic()
    learner = learner_for(name, setup)
    config = setup.config
    place(learner, config.training)
    data = setup.train
    size = assemble.batch_size_for(len(data), config.training.batch_size, learner.usual_batch)
    quiet = replace(assemble.training_for(learner, config.training), log=(), profile=False)
    engine = Engine(
        learner,
        quiet,
        data,
        setup.modality,
        duration=length,
        batch_size=size,
        seed=config.seed,
        overhead=Overhead(begun),
    )
    ready = time.monotonic()
    score, why = None, ""
    try:
        engine.fit()  # all processes know the mean loss: they go astray together
    except DivergedError as error:
        why = error.message
    trained = time.monotonic() - ready
    if not why:
        torch.default_generator.manual_seed(config.seed)
        score, why = _judged(setup.judge, learner)
    return Tried(name, engine.at.step, time.monotonic() - begun, trained, score, why)


def _judged(judge: Judge, learner: Learner) -> tuple[float | None, str]:
    """A score, or why there is none.

    Every process judges alike, on all samples; what the first one finds decides: were scores to
    differ by rounding, processes would go on with different objectives.
    """
    found: tuple[float | None, str]
    try:
        with collectives.apart():
            score = judge.score(learner.eval())
        found = (score if np.isfinite(score) else 0.0), ""
    except DivergedError as error:
        found = None, error.message
    first: tuple[float | None, str] = collectives.from_first(found)
    return first


def save(folder: RunFolder, found: BakeOff) -> None:
    """Keep what was found, for a run that is resumed."""
    folder.write_json(folder.path / FILE, asdict(found))


def earlier(folder: RunFolder) -> BakeOff | None:
    """What an interrupted run had found, if it came so far."""
    if not (folder.path / FILE).exists():
        return None
    raw: Mapping[str, Any] = folder.read_json(folder.path / FILE)
    return BakeOff(**{**raw, "tried": [Tried(**t) for t in raw["tried"]]})


def rows(found: Mapping[str, Any]) -> list[list[str]]:
    """A table for people of what `result.json` has, the best first, the heading above."""
    judged = [t for t in found["tried"] if t["score"] is not None]
    judged.sort(key=lambda t: t["score"], reverse=True)
    return [
        ["objective", found["judged_by"], "steps", "seconds"],
        *[[t["objective"], f"{t['score']:.3f}", f"{t['steps']:,}", f"{t['seconds']:.1f}"]
          for t in judged],
        *[[t["objective"], "left out", "", ""] for t in found["tried"] if t["score"] is None],
    ]  # fmt: skip
