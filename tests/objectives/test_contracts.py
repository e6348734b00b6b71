"""Every objective on every backbone that fits: a new row of a table is tested by being there."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch.distributions import Normal, kl_divergence

from headstart import backbones, objectives
from headstart.backbones.stepwise import Stepwise
from headstart.backbones.windows import lengths
from headstart.objectives.denoising import keep
from headstart.objectives.inpainting import holes
from headstart.objectives.variational import divergence, optimal_gaussian
from headstart.types import Batch, Spec

PICTURES = Spec("continuous", (1, 8, 8), low=0.0, high=1.0)
SERIES = Spec("continuous", (2, 32), flagged=True)  # the digits' 64 pixels, and a flag for each
SMALL = {
    "conv": {"widths": (8, 16)},
    "resnet": {"width": 8},
    "vit": {"patch": 4},
    "tcn": {"width": 16, "depth": 2},
    "patchts": {"width": 32, "depth": 2, "patch": 4},
    "ast": {"patch": 4},
    "audioconv": {"widths": (8, 16), "dim": 32},
    "wave": {"widths": (8, 16), "strides": (2, 2)},
}  # of backbones whose usual size is slow here
STEPS = 30
WAVES = Spec("continuous", (1, 64), empty=0.0)
# Of backbones that share their parts with others: one objective of each kind says as much.
FEW = {
    "ast": ("masked", "simclr"),
    "audioconv": ("autoencoder", "simclr", "byol", "wav2vec"),
    "wave": ("autoencoder", "wav2vec"),
}


@pytest.fixture(scope="module")
def digits():
    return torch.from_numpy(load_digits().images / 16).float()[:, None]


def spec_of(backbone):
    if backbone == "wave":
        return WAVES
    return SERIES if issubclass(backbones.table.load(backbone), Stepwise) else PICTURES


def suited(digits, backbone):
    """Pictures, or the same pixels in half as many pairs of a value and its flag."""
    if backbone == "wave":
        return digits.flatten(1)[:, None]
    if spec_of(backbone) is PICTURES:
        return digits
    values = digits.flatten(1)[:, None, ::2] - 0.3
    there = torch.ones_like(values)
    there[::3, :, 25:] = 0
    return torch.cat([values * there, there], dim=1)


def built(objective, backbone, **settings):
    torch.manual_seed(0)
    cls, base = objectives.table.load(objective), backbones.table.load(backbone)
    spec = spec_of(backbone)
    return cls(cls.Config(**settings), base(base.Config(**SMALL.get(backbone, {})), spec), spec)


PAIRS = [
    (objective, backbone)
    for objective in objectives.table
    for backbone in backbones.table
    if "continuous" in backbones.table.load(backbone).reads & objectives.table.load(objective).reads
    and issubclass(backbones.table.load(backbone), objectives.table.load(objective).needs)
    and objective in FEW.get(backbone, objectives.table)
]


def views_of(learner, x):
    """A batch as the engine makes it: each view with noise of its own, view after view."""
    many = torch.cat([x] * learner.views)
    noisy = many + 0.05 * torch.randn_like(many) if learner.views > 1 else many
    return Batch(noisy, views=learner.views, clean=x)


@pytest.mark.parametrize(("objective", "backbone"), PAIRS)
def test_objective_learns(objective, backbone, digits):
    """Every player's own loss is finite and reaches its parameters; what one minimises falls."""
    learner = built(objective, backbone)
    digits = suited(digits, backbone)
    players = learner.players()
    optimisers = {name: torch.optim.AdamW(p, 1e-3) for name, p in players.items()}
    losses = []
    for i in range(STEPS):
        batch = views_of(learner, digits[i * 32 : i * 32 + 32])
        for name, optimiser in optimisers.items():
            optimiser.zero_grad()
            step = learner(batch, player=name, progress=i / STEPS)
            assert step.weight > 0
            step.loss.backward()
            if i == 0:
                assert [p for p in players[name] if p.grad is None] == []
            optimiser.step()
        learner.after_step(i / STEPS)
        losses.append(float(step.loss.detach()))
    assert np.isfinite(losses).all()
    if len(players) == 1:
        assert np.mean(losses[-5:]) < np.mean(losses[:5])


@pytest.mark.parametrize(("objective", "backbone"), PAIRS)
def test_what_a_learner_says_is_in_its_weights(objective, backbone, digits):
    """A state dict is all there is: a twin that is given it answers alike, to the bit."""
    learner, twin = built(objective, backbone).eval(), built(objective, backbone).eval()
    for p in twin.parameters():
        p.data.zero_()
    twin.load_state_dict(learner.state_dict())
    batch = views_of(learner, suited(digits[:6], backbone))
    said = []
    for one in (learner, twin):
        torch.manual_seed(1)
        with torch.no_grad():
            said.append(one.score(batch))
    assert all(torch.equal(said[0][name], said[1][name]) for name in said[0])


@pytest.mark.parametrize(("objective", "backbone"), PAIRS)
def test_reconstructions_keep_shape_and_bounds(objective, backbone, digits):
    given, spec = suited(digits[:5], backbone), spec_of(backbone)
    pair = built(objective, backbone).eval().reconstruct(Batch(given))
    if pair is None:
        pytest.skip("gives nothing back")
    seen, back = pair
    assert seen.shape == back.shape == (5, *spec.shape)
    if spec.low is not None:
        assert back.min() >= spec.low
        assert back.max() <= spec.high


@pytest.mark.parametrize("objective", ["denoising", "inpainting"])
def test_what_is_spoilt_ends_where_it_ended(objective):
    """Networks that read recordings tell by what is empty where one ends."""
    spec = Spec("continuous", (1, 8, 32), low=-2.0, high=2.0, empty=-2.0)
    encoder = backbones.table.load("audioconv")
    learner = objectives.table.load(objective)
    learner = learner(learner.Config(), encoder(encoder.Config(**SMALL["audioconv"]), spec), spec)
    x = torch.randn(6, 1, 8, 32).clamp(-1.9, 1.9)
    ends = torch.tensor([1, 5, 12, 20, 31, 32])
    x[(torch.arange(32) >= ends[:, None])[:, None, None].expand_as(x)] = -2.0
    seen = []
    learner.encoder.register_forward_pre_hook(lambda _, given: seen.append(given[0].x))
    step = learner(Batch(x), player="all", progress=0.5)
    assert not torch.equal(seen[0], x)
    assert torch.equal(lengths(seen[0], spec), ends)
    assert step.loss.isfinite()


@pytest.mark.parametrize(
    "objective", ["autoencoder", "denoising", "sparse", "autoregressive", "masked", "inpainting"]
)
def test_weights_make_parts_of_a_series_batch_the_whole(objective, digits):
    """Series of which little was measured count less (`Step.weight`)."""
    settings = {"mask": 0.0, "noise": 0.0} if objective == "denoising" else {}
    backbone = "patchts" if objective == "masked" else "tcn"
    learner = built(objective, backbone, **settings).eval()
    x = suited(digits[:6], backbone)
    x[:2, :, 12:] = 0
    if objective == "masked":
        order = torch.rand(6, learner.encoder.grid[1]).argsort(dim=1)
        learner._order = lambda b: order[: len(b)] if len(b.x) != 4 else order[2:]
    if objective == "inpainting":
        hidden = holes(x, 0.5, 4)
        learner._hidden = lambda x: hidden[: len(x)] if len(x) != 4 else hidden[2:]
    with torch.no_grad():
        whole, *parts = (
            learner(Batch(part), player="all", progress=0.5) for part in (x, x[:2], x[2:])
        )
    assert whole.weight == sum(part.weight for part in parts)
    mean = sum(part.weight * part.loss for part in parts) / whole.weight
    torch.testing.assert_close(mean, whole.loss)


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


@pytest.mark.parametrize(
    "name", [n for n in backbones.table if "continuous" in backbones.table.load(n).reads]
)
def test_backbones_keep_their_promises(name, digits):
    cls = backbones.table.load(name)
    backbone = cls(cls.Config(), spec_of(name))
    features = backbone(Batch(suited(digits[:7], name)))
    assert features.pooled.shape == (7, backbone.dim)
    if backbone.token_dim:
        assert features.tokens.shape[0] == 7
        assert features.tokens.shape[2] == backbone.token_dim
    in_layers = [p for layer in backbone.layers() for p in layer.parameters()]
    assert len(in_layers) == len({id(p) for p in in_layers})
    assert {id(p) for p in in_layers} == {id(p) for p in backbone.parameters()}
