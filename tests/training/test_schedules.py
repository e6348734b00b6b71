"""Each schedule against PyTorch's own scheduler of that name."""

import pytest
import torch
from torch.optim import lr_scheduler

from headstart.training.config import TrainingConfig
from headstart.training.schedules import rate_at

STEPS = 100


def theirs(make):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimiser)
    found = [optimiser.param_groups[0]["lr"]]
    for _ in range(STEPS):
        optimiser.step()
        scheduler.step()
        found.append(optimiser.param_groups[0]["lr"])
    return found


def ours(**settings):
    config = TrainingConfig(**settings)
    return [rate_at(step / STEPS, config) for step in range(STEPS + 1)]


def test_cosine():
    their = theirs(lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS))
    assert ours(schedule="cosine", warmup=0.0) == pytest.approx(their, abs=1e-9)


def test_linear():
    their = theirs(lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, STEPS))
    assert ours(schedule="linear", warmup=0.0) == pytest.approx(their, abs=1e-9)


@pytest.mark.parametrize("rise", [0.3, 0.1])
def test_one_cycle(rise):
    # PyTorch counts to the last step of each phase, so its share is of STEPS + 1.
    share = (rise * STEPS + 1) / (STEPS + 1)

    def make(optimiser):
        return lr_scheduler.OneCycleLR(
            optimiser, 1.0, total_steps=STEPS + 1, pct_start=share, cycle_momentum=False
        )

    warmup = None if rise == 0.3 else rise
    assert ours(schedule="onecycle", warmup=warmup) == pytest.approx(theirs(make), abs=1e-9)


def test_warm_up_rises_in_a_line_and_constant_stays():
    found = ours(schedule="constant", warmup=0.2)
    assert found[:21] == pytest.approx([0.01, *(i / 20 for i in range(1, 21))])
    assert set(found[20:]) == {1.0}


@pytest.mark.parametrize(
    ("optimizer", "end"), [("adamw", 0.0), ("schedule-free-adamw", 1.0), ("schedulefreesgd", 1.0)]
)
def test_what_needs_no_schedule_gets_none_unless_asked(optimizer, end):
    assert ours(optimizer=optimizer)[-1] == pytest.approx(end)
    assert ours(optimizer=optimizer, schedule="linear")[-1] == pytest.approx(0.0)
