"""LeJEPA (arXiv:2511.08544): the Epps-Pulley statistic by its closed form and by quadrature."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from headstart.objectives.lejepa import directions, distance_from_centre, epps_pulley, sigreg


def closed_form(x):
    """N ∫ |φ_N − exp(−t²/2)|² exp(−t²/2) dt over the whole line.

    Each product of the square is a Gaussian integral: ∫ cos(a t) exp(−b t²/2) dt =
    √(2π/b) exp(−a²/(2b)) with b = 1 (two samples), 2 (a sample and the law), 3 (the law).
    """
    n = len(x)
    samples = np.exp(-((x[:, None] - x) ** 2) / 2).sum() / n**2
    cross = 2 * np.exp(-(x**2) / 4).sum() / n / np.sqrt(2)
    return n * np.sqrt(2 * np.pi) * (samples - cross + 1 / np.sqrt(3))


@pytest.fixture(params=["normal", "shifted", "narrow", "two heaps"])
def x(request):
    random = np.random.default_rng(0)
    normal = random.normal(size=80)
    return {
        "normal": normal,
        "shifted": normal + 1,
        "narrow": 0.1 * normal,
        "two heaps": normal * 0.2 + random.choice([-1.5, 1.5], size=80),
    }[request.param]


def test_epps_pulley_is_its_closed_form(x):
    ours = epps_pulley(torch.from_numpy(x).view(1, -1, 1))
    assert float(ours) == pytest.approx(closed_form(x), rel=1e-3, abs=1e-4)


def test_epps_pulley_is_scipys_integral(x):
    def integrand(t):
        return abs(np.exp(1j * t * x).mean() - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2)

    ours = epps_pulley(torch.from_numpy(x).view(1, -1, 1), points=401, reach=8.0)
    assert float(ours) == pytest.approx(len(x) * quad(integrand, -8, 8, limit=200)[0], rel=1e-6)


def test_sigreg_is_least_for_the_standard_normal_law():
    torch.manual_seed(0)
    lines = directions(8, 200, torch.zeros(()))
    torch.testing.assert_close(lines.norm(dim=0), torch.ones(200))
    z = torch.randn(2, 400, 8)
    normal = sigreg(z, lines, 17, 5.0)
    for other in (z * 0.5, z * 2, z + 0.5, z.sign(), z[:, :, :1].expand(-1, -1, 8)):
        assert sigreg(other, lines, 17, 5.0) > 1.5 * normal


def test_descending_sigreg_makes_samples_normal():
    """100 points that begin as a narrow ring end with the mean and covariance of the law."""
    torch.manual_seed(0)
    angle = torch.rand(100) * 2 * torch.pi
    z = (0.1 * torch.stack([angle.cos(), angle.sin()], dim=1)).requires_grad_()
    optimiser = torch.optim.Adam([z], 0.05)
    for _ in range(200):
        optimiser.zero_grad()
        sigreg(z[None], directions(2, 32, z), 17, 5.0).backward()
        optimiser.step()
    done = z.detach().numpy()
    np.testing.assert_allclose(done.mean(0), 0, atol=0.1)
    np.testing.assert_allclose(np.cov(done.T), np.eye(2), atol=0.25)


def test_prediction_is_the_variance_over_views():
    z = np.random.default_rng(0).normal(size=(3, 5, 4))
    ours = distance_from_centre(torch.from_numpy(z))
    assert float(ours) == pytest.approx(z.var(axis=0).mean(), rel=1e-10)
