import numpy as np
import pytest
import torch

from headstart.parts.views import direction_std, gathered, split
from headstart.types import Batch


def test_a_single_process_finds_its_own_views():
    z = torch.randn(6, 2)
    for parts in (gathered(z, 3), split(z, Batch(z, views=3))):
        assert torch.equal(torch.stack(parts), z.view(3, 2, 2))


def test_spread_is_one_on_the_whole_sphere_and_zero_at_a_point():
    torch.manual_seed(0)
    assert float(direction_std(torch.randn(4_000, 16))) == pytest.approx(1.0, abs=0.02)
    assert float(direction_std(torch.ones(50, 16) * torch.rand(50, 1))) == pytest.approx(
        0.0, abs=1e-4
    )


def test_spread_is_the_deviation_of_unit_vectors():
    z = np.random.default_rng(0).normal(size=(30, 5)) + 1
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    expected = unit.std(axis=0).mean() * np.sqrt(5)
    assert float(direction_std(torch.from_numpy(z))) == pytest.approx(expected, rel=1e-5)
