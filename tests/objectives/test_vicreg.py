"""VICReg (arXiv:2105.04906), its terms by NumPy's own variance and covariance."""

import numpy as np
import pytest
import torch

import samples
from headstart.objectives.vicreg import redundancy, shortfall
from headstart.types import Batch


@pytest.fixture
def z():
    random = np.random.default_rng(0)
    return random.normal(size=(50, 6)) @ random.normal(size=(6, 6)) * 0.4


def test_shortfall_is_the_hinge_on_each_units_deviation(z):
    expected = np.maximum(0, 1 - np.sqrt(z.var(axis=0, ddof=1) + 1e-4)).mean()
    assert 0 < expected < 1
    assert float(shortfall(torch.from_numpy(z))) == pytest.approx(expected, rel=1e-10)


def test_redundancy_is_the_squared_covariance_off_the_diagonal(z):
    c = np.cov(z, rowvar=False)
    expected = (c[~np.eye(6, dtype=bool)] ** 2).sum() / 6
    assert float(redundancy(torch.from_numpy(z))) == pytest.approx(expected, rel=1e-10)


def test_white_units_cost_nothing():
    q = np.linalg.qr(np.random.default_rng(0).normal(size=(40, 6)))[0]
    white = torch.from_numpy((q - q.mean(0)) @ np.linalg.cholesky(np.linalg.inv(np.cov(q.T))))
    assert float(shortfall(white)) < 1e-4
    assert float(redundancy(white)) < 1e-12


def test_the_loss_is_the_weighted_sum_of_equation_6():
    learner = samples.objective("vicreg", invariance=2.0, variance=3.0, covariance=4.0).eval()
    batch = Batch(samples.batch(32).x, views=2)
    with torch.no_grad():
        z1, z2 = learner.project(batch).double().chunk(2)
        loss = learner(batch, player="all", progress=0.0).loss
    expected = (
        2 * (z1 - z2).square().mean()
        + 3 * (shortfall(z1) + shortfall(z2)) / 2
        + 4 * (redundancy(z1) + redundancy(z2))
    )
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)
