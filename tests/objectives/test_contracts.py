"""Every objective on every backbone that fits: a new row of a table is tested by being there."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch.distributions import Normal, kl_divergence

from headstart import backbones, objectives
from headstart.objectives.denoising import keep
from headstart.objectives.variational import divergence, optimal_gaussian
from headstart.types import Batch, Spec

SPEC = Spec("continuous", (1, 8, 8), low=0.0, high=1.0)


@pytest.fixture(scope="module")
def digits():
    return torch.from_numpy(load_digits().images / 16).float()[:, None]


def built(objective, backbone, **settings):
    torch.manual_seed(0)
    cls, base = objectives.table.load(objective), backbones.table.load(backbone)
    return cls(cls.Config(**settings), base(base.Config(), SPEC), SPEC)


@pytest.mark.parametrize("backbone", list(backbones.table))
@pytest.mark.parametrize("objective", list(objectives.table))
def test_objective_learns(objective, backbone, digits):
    learner = built(objective, backbone)
    optimiser = torch.optim.AdamW(learner.parameters(), 1e-3)
    losses = []
    for i in range(40):
        batch = Batch(digits[i * 32 : i * 32 + 32], clean=digits[i * 32 : i * 32 + 32])
        total = torch.zeros(())
        for player in learner.players():
            step = learner(batch, player=player, progress=i / 40)
            assert step.weight == 32
            total = total + step.loss
        optimiser.zero_grad()
        total.backward()
        if i == 0:
            still = [n for n, p in learner.encoder.named_parameters() if p.grad is None]
            assert not still
        optimiser.step()
        losses.append(float(total.detach()))
    assert np.isfinite(losses).all()
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


@pytest.mark.parametrize("objective", list(objectives.table))
def test_reconstructions_keep_shape_and_bounds_and_weights_round_trip(objective, digits):
    learner = built(objective, "conv").eval()
    batch = Batch(digits[:5])
    torch.manual_seed(1)
    seen, back = learner.reconstruct(batch)
    assert seen.shape == back.shape == (5, 1, 8, 8)
    assert back.min() >= 0
    assert back.max() <= 1
    twin = built(objective, "conv").eval()
    for p in twin.parameters():
        p.data.zero_()
    twin.load_state_dict(learner.state_dict())
    torch.manual_seed(1)
    assert torch.equal(twin.reconstruct(batch)[1], back)


def test_linear_autoencoder_reaches_the_error_of_principal_components(digits):
    """Baldi and Hornik (1989): its optimum is PCA's subspace."""
    flat = digits.flatten(1) - digits.flatten(1).mean(0)
    pca = PCA(8).fit(flat.numpy())
    best = ((flat.numpy() - pca.inverse_transform(pca.transform(flat.numpy()))) ** 2).mean()
    spec = Spec("continuous", (64,))
    torch.manual_seed(0)
    encoder = backbones.table.load("mlp")
    cls = objectives.table.load("autoencoder")
    learner = cls(
        cls.Config(augment=False),
        encoder(encoder.Config(widths=(8,), activation="identity"), spec),
        spec,
    )
    optimiser = torch.optim.Adam(learner.parameters(), 1e-2)
    for _ in range(1_000):
        optimiser.zero_grad()
        loss = learner(Batch(flat), player="all", progress=0.0).loss
        loss.backward()
        optimiser.step()
    assert best <= float(loss.detach()) * 1.0001
    assert float(loss.detach()) < 1.05 * best


def test_divergence_is_that_of_normal_laws():
    mean, log_var = torch.randn(6, 4), torch.randn(6, 4)
    theirs = kl_divergence(Normal(mean, (0.5 * log_var).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(divergence(mean, log_var), theirs)


def test_optimal_gaussian_is_the_best_variance():
    error = 0.37
    found = minimize_scalar(
        lambda v: 0.5 * np.log(v) + error / (2 * v), bounds=(1e-3, 10), method="bounded"
    )
    assert float(optimal_gaussian(torch.tensor(error))) == pytest.approx(found.fun - 0.5, abs=1e-4)


@pytest.mark.parametrize(("share", "block"), [(0.3, 1), (0.5, 4)])
def test_masks_hide_about_the_share_asked_for_in_blocks(share, block):
    torch.manual_seed(0)
    mask = keep(torch.zeros(400, 2, 16, 16), share, block)
    assert float(1 - mask.mean()) == pytest.approx(share, abs=0.02)
    tiles = mask[:, 0].unfold(1, block, block).unfold(2, block, block).flatten(3)
    assert (tiles.amax(-1) == tiles.amin(-1)).all()


@pytest.mark.parametrize("name", list(backbones.table))
def test_backbones_keep_their_promises(name, digits):
    cls = backbones.table.load(name)
    backbone = cls(cls.Config(), SPEC)
    features = backbone(Batch(digits[:7]))
    assert features.pooled.shape == (7, backbone.dim)
    if backbone.token_dim:
        assert features.tokens.shape[0] == 7
        assert features.tokens.shape[2] == backbone.token_dim
    in_layers = [p for layer in backbone.layers() for p in layer.parameters()]
    assert len(in_layers) == len({id(p) for p in in_layers})
    assert {id(p) for p in in_layers} == {id(p) for p in backbone.parameters()}
