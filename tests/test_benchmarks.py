"""The benchmarks' own arithmetic, and that they run."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_simclr_benchmark_counts_the_operations_that_torch_counts(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from five_conv import FiveConv, flops_of_a_step

    counter = FlopCounterMode(display=False)
    with counter:
        FiveConv()(torch.randn(6, 3, 32, 32)).sum().backward()
    assert flops_of_a_step(3) == counter.get_total_flops()


@pytest.mark.slow
def test_simclr_benchmark_runs_without_a_rival():
    command = [sys.executable, BENCHMARKS / "simclr_speed.py", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "images/s" in done.stdout
    assert "lightly" not in done.stdout
