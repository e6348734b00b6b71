"""How far each step is: evenly, after a revision, after an extension, and by the clock."""

import json

import pytest
import torch

from headstart.errors import UserError
from headstart.parts.learner import Learner
from headstart.runs.folder import RunFolder
from headstart.settings import Duration
from headstart.training import timed
from headstart.training.config import TrainingConfig
from headstart.training.finite import FiniteGuard
from headstart.training.pace import Pace
from headstart.training.plan import Plan, plan_for
from headstart.training.progress import Progress
from headstart.training.timed import Overhead
from headstart.types import Step
from samples import engine, objective

CONFIG = TrainingConfig(warmup=0.1)


def test_progress_is_the_share_of_steps_taken():
    plan = plan_for(Duration(2, "epochs"), CONFIG, batch_size=10, samples=100)
    assert [plan.progress(step) for step in (0, 5, 20, 99)] == [0.0, 0.25, 1.0, 1.0]
    assert plan.validate_every == 10


def test_a_revised_plan_goes_on_from_the_progress_reached_and_ends_at_one():
    plan = Plan(100, 10).revised(40, 60)
    assert plan.progress(40) == pytest.approx(0.4)
    assert plan.progress(50) == pytest.approx(0.7)
    assert plan.progress(60) == 1.0
    again = plan.revised(50, 80)
    assert again.progress(50) == pytest.approx(0.7)
    assert again.progress(65) == pytest.approx(0.85)
    assert Plan(100, 10).revised(40, 20).progress(40) == 1.0  # never into the past


def test_an_extended_plan_warms_up_anew_and_joins_the_longer_schedule():
    plan = Plan(200, 10).extended(100)
    untouched = Plan(200, 10)
    assert plan.progress(150) == 0.75
    rates = [plan.rate(step, CONFIG) for step in (100, 104, 109, 150)]
    wanted = [untouched.rate(step, CONFIG) for step in (100, 104, 109, 150)]
    assert rates == pytest.approx([wanted[0] / 10, wanted[1] / 2, wanted[2], wanted[3]])


def measured(step, validation=0.0, checkpoint=0.0, every="1 minutes"):
    pace = Pace(Duration.parse(every))
    pace.step, pace.validation, pace.checkpoint = step, validation, checkpoint
    return pace


def test_as_many_steps_fit_as_their_cost_allows():
    assert measured(0.1).steps_in(60, 10) == 600
    # 0.1 s a step and 1 s every ten steps: 0.2 s a step in all.
    assert measured(0.1, validation=1.0).steps_in(60, 10) == 300
    # A checkpoint of 2 s after each 10 s, and one at the end.
    pace = measured(0.1, checkpoint=2.0, every="0.1666666666667 minutes")
    assert pace.steps_in(60, 10) == 500
    assert pace.left(Plan(500, 10), 0) == pytest.approx(60)
    assert measured(100.0).steps_in(60, 10) == 1


def test_a_machine_that_turns_slow_shortens_the_plan_and_a_steady_one_keeps_it():
    plan = Plan(1_000, 10**6, seconds=100.0)

    def revision(step_seconds, at_step, seconds):
        pace = Pace(Duration(1, "minutes"))
        pace.checked -= 10
        pace._since -= 100 * step_seconds
        pace._steps = 100
        return timed.revision(plan, pace, Progress(step=at_step, seconds=seconds))

    assert revision(0.1, 500, 50.0) == 0
    assert revision(0.2, 500, 50.0) == pytest.approx(750, abs=2)
    assert revision(0.05, 500, 50.0) == pytest.approx(1_500, abs=5)
    assert revision(0.2, 1_000, 100.0) == 0


class Clock:
    """Time that passes only where something is prepared: `seconds` each, `later` from `after` on."""

    def __init__(self, seconds, later=None, after=0.0):
        self.now = 1_000.0
        self.begun, self.seconds, self.after = self.now, seconds, after
        self.later = seconds if later is None else later

    def monotonic(self):
        return self.now

    def prepare(self, x):
        self.now += self.later if self.now - self.begun > self.after else self.seconds
        return x.float() / 255

    def augment(self, x, strength="weak"):
        return self.prepare(x)


@pytest.fixture
def by_the_clock(monkeypatch):
    """Makes an engine for so many minutes of such a clock."""

    def make(minutes, clock, folder=None, **overhead):
        for module in ("engine", "pace", "timed"):
            monkeypatch.setattr(f"headstart.training.{module}.time", clock)
        made = engine(objective("autoencoder"), folder=folder, checkpoint_every="1 minutes")
        made.preparation, made.planned = clock, None
        made.duration, made.overhead = Duration(minutes, "minutes"), Overhead(clock.now, **overhead)
        return made

    return make


@pytest.mark.parametrize("later", [None, 0.3, 0.04])
def test_a_timed_run_ends_on_time_with_its_schedule_complete(
    tmp_path, monkeypatch, by_the_clock, later
):
    monkeypatch.setattr(timed, "SHORTEST_CHECK", 0.2)
    clock = Clock(0.1, later, after=6.0)
    with RunFolder.create(tmp_path / "r", resume=False, overwrite=False) as folder:
        made = by_the_clock(0.2, clock, folder, after=1.5)
        made.fit()
    assert clock.now - clock.begun + 1.5 == pytest.approx(12.0, rel=0.05)
    assert made.at.step == made.plan.total
    lines = [json.loads(line) for line in (tmp_path / "r/progress.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == made.at.step
    assert lines[-1]["lr_share"] < 0.02
    assert [line["step"] for line in lines] == sorted({line["step"] for line in lines})


def test_the_plan_of_a_timed_run_is_in_its_checkpoints_and_followed(tmp_path, by_the_clock):
    with RunFolder.create(tmp_path / "r", resume=False, overwrite=False) as folder:
        made = by_the_clock(0.1, Clock(0.1), folder)
        made.fit()
        folder.checkpoint_files()[0].unlink()  # what was saved before the first step stays
        again = by_the_clock(0.1, Clock(0.1), folder)
        again.fit(resume=True)
    assert again.at.step == made.at.step > 20
    assert all(
        torch.equal(a, b)
        for a, b in zip(made.learner.parameters(), again.learner.parameters(), strict=True)
    )


def extended(path, *lengths, validation=None):
    for steps in lengths:
        with RunFolder.create(path, resume=True, overwrite=False) as folder:
            made = engine(objective("autoencoder"), steps, folder=folder, warmup=0.2)
            made.fit(resume=True)
    return made


def test_a_finished_run_is_extended_when_asked_for_more(tmp_path):
    made = extended(tmp_path / "r", 20, 40)
    assert made.at.step == 40
    lines = [json.loads(line) for line in (tmp_path / "r/progress.jsonl").read_text().splitlines()]
    rates = {line["step"]: line["lr_share"] for line in lines}
    assert rates[21] < rates[24]  # it rises anew
    assert rates[40] < 0.02
    shorter = extended(tmp_path / "r", 30)
    assert shorter.at.step == 40  # nothing is unlearnt


def test_an_extension_that_is_killed_is_resumed_to_the_same_bits(tmp_path, monkeypatch):
    whole = extended(tmp_path / "whole", 20, 40)
    extended(tmp_path / "cut", 20)

    class Death(BaseException):
        pass

    def die(self, *_):
        raise Death

    with monkeypatch.context() as patched:
        patched.setattr("headstart.training.logbook.Logbook.show", die)
        with pytest.raises(Death):
            extended(tmp_path / "cut", 40)
    cut = extended(tmp_path / "cut", 40)
    assert all(
        torch.equal(a, b)
        for a, b in zip(whole.learner.parameters(), cut.learner.parameters(), strict=True)
    )


def test_a_checkpoint_of_another_version_is_refused_with_a_reason(tmp_path):
    with RunFolder.create(tmp_path / "r", resume=False, overwrite=False) as folder:
        engine(objective("autoencoder"), 5, folder=folder).fit()
        with pytest.raises(UserError, match="does not fit this version"):
            engine(objective("variational"), 9, folder=folder).fit(resume=True)


class Normed(Learner):
    """A weight and a running mean, poisoned at one step."""

    def __init__(self, poisoned):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(64))
        self.register_buffer("mean", torch.zeros(()))
        self.calls, self.poisoned = 0, poisoned

    def forward(self, batch, *, player, progress):
        x = batch.x.flatten(1) * (float("nan") if self.calls == self.poisoned else 1.0)
        self.calls += 1
        self.mean.lerp_(x.detach().mean(), 0.1)
        return Step((x @ self.w).square().mean(), len(batch))


@pytest.mark.parametrize("asks", [True, False])
def test_a_bad_step_changes_neither_weights_nor_moments_nor_buffers(asks):
    learner = Normed(poisoned=3)
    made = engine(learner, 6)
    made._guard = FiniteGuard(learner, made.optimisers.values(), made.device, asks=asks)
    states = []
    for _ in range(6):
        made.step()
        moments = made.optimisers["all"].state[learner.w]
        states.append([learner.w, learner.mean, moments["exp_avg"], moments["step"]])
        states[-1] = [value.detach().clone() for value in states[-1]]
    made._settle()
    assert made.at.skipped == 1
    assert all(torch.equal(a, b) for a, b in zip(states[2], states[3], strict=True))
    assert not torch.equal(states[3][0], states[4][0])
    assert all(torch.isfinite(value).all() for value in states[5])
