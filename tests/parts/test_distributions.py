"""Distances between laws, against SciPy and closed forms."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.spatial.distance import pdist

from headstart.parts.distributions import diversity, frechet_distance, reduced


def correlated(n, d, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


@pytest.mark.parametrize(("d", "n"), [(1, 9), (5, 60), (12, 40)])
def test_frechet_distance_is_that_of_scipys_root(d, n):
    a, b = correlated(n, d, 0), correlated(2 * n, d, 1)
    s1, s2 = np.cov(a.T).reshape(d, d), np.cov(b.T).reshape(d, d)
    theirs = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s1 + s2 - 2 * sqrtm(s1 @ s2).real)
    assert float(frechet_distance(torch.tensor(a), torch.tensor(b))) == pytest.approx(theirs)


def test_frechet_distance_of_scaled_and_moved_samples_is_the_closed_form():
    """x → c·x + m: |mean' - mean|² + (c - 1)² tr S, since the roots commute."""
    a = torch.tensor(correlated(200, 6, 2))
    moved = 3 * a + 2
    wanted = (moved.mean(0) - a.mean(0)).square().sum() + 4 * torch.cov(a.T).trace()
    torch.testing.assert_close(frechet_distance(a, moved), wanted)


def test_frechet_distance_is_0_for_the_same_law_and_stands_fewer_samples_than_dimensions():
    a = torch.tensor(correlated(20, 50, 3))
    assert float(frechet_distance(a, a[torch.randperm(20)])) == pytest.approx(0, abs=1e-3)
    assert float(frechet_distance(a, a + 1)) == pytest.approx(50, rel=1e-3)


def test_diversity_is_the_mean_distance_of_pairs():
    x = torch.rand(7, 2, 3, 3)
    theirs = pdist(x.flatten(1).numpy()).mean()
    assert float(diversity(x)) == pytest.approx(theirs, rel=1e-5)
    assert float(diversity(torch.ones(5, 4))) == 0.0


@pytest.mark.parametrize(("shape", "width"), [((3, 28, 28), 192), ((1, 8, 8), 64), ((1, 5, 6), 30)])
def test_features_are_small_pictures(shape, width):
    flat = reduced(torch.full((4, *shape), 0.3))
    assert flat.shape == (4, width)
    torch.testing.assert_close(flat, torch.full((4, width), 0.3))
    assert reduced(torch.rand(3, 9)).shape == (3, 9)
