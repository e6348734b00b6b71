"""Barlow Twins (arXiv:2103.03230), its correlations by NumPy's `corrcoef`."""

import numpy as np
import pytest
import torch

from headstart.objectives.barlow import cross_correlation, distance_from_identity


@pytest.fixture
def views():
    random = np.random.default_rng(0)
    z1 = random.normal(size=(60, 5)) * [1, 2, 3, 4, 5] + 7
    return z1, z1 @ random.normal(size=(5, 5)) + random.normal(size=(60, 5))


def test_cross_correlation_is_numpys(views):
    z1, z2 = views
    expected = np.corrcoef(z1, z2, rowvar=False)[:5, 5:]
    ours = cross_correlation(torch.from_numpy(z1), torch.from_numpy(z2), eps=0.0)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-10)


def test_distance_is_the_two_sums_of_equation_1(views):
    c = np.corrcoef(*views, rowvar=False)[:5, 5:]
    same = sum((1 - c[i, i]) ** 2 for i in range(5))
    other = sum(c[i, j] ** 2 for i in range(5) for j in range(5) if i != j)
    ours = distance_from_identity(torch.from_numpy(c))
    assert [float(v) for v in ours] == pytest.approx([same, other], rel=1e-10)


def test_a_constant_unit_costs_one_and_no_more():
    z = torch.randn(40, 3, dtype=torch.float64)
    z[:, 1] = 4.0
    same, _ = distance_from_identity(cross_correlation(z, z, eps=1e-12))
    assert float(same) == pytest.approx(1.0, abs=1e-6)
