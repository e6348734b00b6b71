"""The benchmarks' own arithmetic, and that they run."""

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import conv2d

from headstart.training.engine import Engine

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_simclr_benchmark_counts_the_multiply_adds_on_pixels(monkeypatch):
    """A sum of ones times ones counts its terms; zeros around a picture give none."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    from five_conv import FiveConv, flops_of_a_step

    terms, x = 0.0, torch.ones(1, 3, 32, 32)
    for layer in FiveConv().layers:
        if isinstance(layer, torch.nn.Conv2d):
            ones = torch.ones_like(x)
            counted = conv2d(ones, torch.ones_like(layer.weight), padding=1).double().sum()
            terms += float(counted) * (2 if terms == 0 else 3)  # no gradient of the first input
        with torch.no_grad():
            x = layer(x)
    assert flops_of_a_step(3) == 2 * terms * 2 * 3  # two views of three pictures


def test_simclr_benchmark_counts_steps_and_not_views(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import simclr_speed

    taken, turns = [], []
    step = Engine.step
    monkeypatch.setattr(Engine, "step", lambda self: (taken.append(1), step(self)))
    options = Namespace(steps=2, rounds=2, batch_size=16, threads=1)
    spent, _ = simclr_speed.train(
        simclr_speed.pictures(64), options, lambda: turns.append(len(taken))
    )
    assert len(spent) == 3
    assert turns == [2, 4, 6]


@pytest.mark.slow
def test_simclr_benchmark_runs_without_a_rival():
    command = [sys.executable, BENCHMARKS / "simclr_speed.py", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "images/s" in done.stdout
    assert "lightly" not in done.stdout
