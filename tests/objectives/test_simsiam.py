"""SimSiam (arXiv:2011.10566): its loss, its stopped gradient, and collapse without it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import samples
from headstart.objectives.simsiam import distance
from headstart.types import Batch


def test_distance_is_the_negative_cosine():
    p, z = np.random.default_rng(0).normal(size=(2, 9, 4))
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(p, z, strict=True)]
    assert float(distance(*map(torch.from_numpy, (p, z)))) == pytest.approx(-np.mean(cosines))


def test_the_gradient_is_that_of_projections_held_constant():
    """Eq. 4 with the z side replaced by numbers computed beforehand."""
    learner = samples.objective("simsiam")
    torch.manual_seed(0)
    x = samples.batch(32).x
    batch = Batch(x + 0.1 * torch.randn_like(x), views=2)
    z = learner.project(batch)
    z1, z2 = (v.clone() for v in z.detach().chunk(2))
    p1, p2 = learner.predictor(z).chunk(2)
    by_hand = -(F.cosine_similarity(p1, z2).mean() + F.cosine_similarity(p2, z1).mean()) / 2
    wanted = torch.autograd.grad(by_hand, list(learner.encoder.parameters()))
    loss = learner(batch, player="all", progress=0.0).loss
    got = torch.autograd.grad(loss, list(learner.encoder.parameters()))
    torch.testing.assert_close(float(loss.detach()), float(by_hand.detach()))
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other)
