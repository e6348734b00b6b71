"""The light networks of a game fit samples of any shape."""

import pytest
import torch

from headstart.parts.adversarial import Critic, Generator, Trunk
from headstart.types import Spec


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 7, 10), (2, 33, 20), (4, 28, 28), (9,)])
def test_networks_fit_the_sample(shape):
    torch.manual_seed(0)
    spec = Spec("continuous", shape, low=-1.0, high=3.0)
    made = Generator(5, spec, width=4)(torch.randn(6, 5))
    assert made.shape == (6, *shape)
    assert made.min() >= -1
    assert made.max() <= 3
    assert float(made.detach().std()) < 1.0  # nothing is black or white before it has learned
    features = Trunk(spec, width=4)(made)
    assert features.shape == (6, Trunk.dim)
    assert Critic(Trunk.dim, 5)(features, torch.randn(6, 5)).shape == (6, 3)
    made.sum().backward()


def test_unbounded_samples_are_not_squeezed():
    generator = Generator(5, Spec("continuous", (9,)), width=4)
    with torch.no_grad():
        generator.stack[-1].bias.fill_(50.0)
        assert float(generator(torch.randn(6, 5)).mean()) > 40


def test_critics_scores_of_sample_and_code_alone_ignore_the_other():
    critic = Critic(7, 5)
    x, z = torch.randn(4, 7), torch.randn(4, 5)
    scores, other_code, other_sample = critic(x, z), critic(x, z + 1), critic(x + 1, z)
    assert [bool((scores[:, i] == other_code[:, i]).all()) for i in range(3)] == [
        True,
        False,
        False,
    ]
    assert [bool((scores[:, i] == other_sample[:, i]).all()) for i in range(3)] == [
        False,
        True,
        False,
    ]
