"""Optimisers against their papers' formulae, and all of them against losing their state."""

import builtins

import numpy as np
import pytest
import torch
from torch import nn

from headstart.errors import UserError
from headstart.runs import state
from headstart.training import averaging, optimisers
from headstart.training.config import TrainingConfig
from samples import batch, identical, supervised, weights

CPU = torch.device("cpu")
ALL = sorted({*optimisers.NAMES, *optimisers.LIBRARY})


def needs(name):
    if name not in optimisers.NAMES:
        pytest.importorskip("pytorch_optimizer")


def build(parameters, optimizer, rates=None, **settings):
    config = TrainingConfig(optimizer=optimizer, **settings)
    return optimisers.build(list(parameters), config, rates or {}, CPU)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(4 * 36, 10),
    )


def steps(model, optimiser, first, count):
    data = batch(32)
    for i in range(first, first + count):
        optimisers.set_rate(optimiser, 1.0 - i / 20)
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(data.x), data.y).backward()
        optimiser.step()


@pytest.mark.parametrize("name", ALL)
def test_every_optimiser_moves_all_and_continues_from_its_saved_state(name, tmp_path):
    needs(name)
    model = network()
    optimiser = build(model.parameters(), name)
    before = [p.detach().clone() for p in model.parameters()]
    steps(model, optimiser, 0, 8)
    assert all(torch.isfinite(p).all() for p in model.parameters())
    moved = [not torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True)]
    assert all(moved)
    state.save(tmp_path / "s", {"model": model.state_dict(), "opt": optimiser.state_dict()})
    steps(model, optimiser, 8, 3)
    saved = state.load(tmp_path / "s")
    twin = network()
    second = build(twin.parameters(), name)
    twin.load_state_dict(saved["model"])
    second.load_state_dict(saved["opt"])
    steps(twin, second, 8, 3)
    assert identical(weights(model), weights(twin))


@pytest.mark.parametrize("name", ALL)
def test_biases_and_norms_never_decay(name):
    needs(name)
    made = build([nn.Parameter(torch.ones(3, 3)), nn.Parameter(torch.ones(3))], name)
    decays = {g["params"][0].ndim: g.get("weight_decay") for g in made.param_groups}
    assert not decays.get(1)


def test_muon_orthogonalises_matrices_and_kernels_and_leaves_the_rest_to_adamw():
    torch.manual_seed(0)
    kernel, bias = nn.Parameter(torch.randn(8, 3, 3, 3)), nn.Parameter(torch.randn(8))
    twin = nn.Parameter(bias.detach().clone())
    before = kernel.detach().clone()
    made = build([kernel, bias], "muon", lr=0.1, weight_decay=0.0)
    adamw = build([twin], "adamw", lr=0.1)
    kernel.grad, bias.grad = torch.randn_like(kernel), torch.randn_like(bias)
    twin.grad = bias.grad.clone()
    direction = torch.linalg.svd(kernel.grad.flatten(1), full_matrices=False)
    made.step()
    adamw.step()
    torch.testing.assert_close(bias, twin)
    update = (before - kernel.detach()).flatten(1)
    # All singular values of the update are alike, 0.2 √27 times the rate, and its directions are
    # those of the gradient.
    singular = torch.linalg.svdvals(update) / (0.1 * 0.2 * 27**0.5)
    assert singular.min() > 0.6
    assert singular.max() < 1.3
    polar = direction.U @ direction.Vh
    assert float((update * polar).sum() / (update.norm() * polar.norm())) > 0.97


def test_muon_takes_each_layers_own_rate():
    low, high = nn.Parameter(torch.ones(4, 4)), nn.Parameter(torch.ones(4, 4))
    made = build([low, high], "muon", {low: 0.5}, weight_decay=0.0)
    low.grad = high.grad = torch.eye(4)
    optimisers.set_rate(made, 1.0)
    made.step()
    torch.testing.assert_close(2 * (1 - low), 1 - high)


def test_lion_follows_its_paper():
    """Chen et al., arXiv:2302.06675, algorithm 2."""
    pytest.importorskip("pytorch_optimizer")
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(3, 2)), rng.normal(size=(4, 3, 2))
    w = nn.Parameter(torch.tensor(start))
    made = build([w], "lion", lr=0.01, weight_decay=0.1)
    theta, m = start.copy(), np.zeros_like(start)
    for g in gradients:
        w.grad = torch.tensor(g)
        made.step()
        theta = theta - 0.01 * (np.sign(0.9 * m + 0.1 * g) + 0.1 * theta)
        m = 0.99 * m + 0.01 * g
    np.testing.assert_allclose(w.detach().numpy(), theta)


def test_schedule_free_trains_y_and_means_x():
    """Defazio et al., arXiv:2405.15682, eqs. 3-5, on ½ w²."""
    pytest.importorskip("pytorch_optimizer")
    lr, beta = 0.1, 0.9
    w = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    made = build([w], "schedule-free-sgd", lr=lr)
    x = z = np.array([1.0, -2.0])
    for t in range(6):
        y = (1 - beta) * z + beta * x
        np.testing.assert_allclose(w.detach().numpy(), y)
        w.grad = w.detach().clone()
        made.step()
        z = z - lr * y
        x = (1 - 1 / (t + 1)) * x + z / (t + 1)
    made.eval()
    np.testing.assert_allclose(w.detach().numpy(), x)
    made.train()
    np.testing.assert_allclose(w.detach().numpy(), (1 - beta) * z + beta * x)


def test_batch_norm_statistics_are_renewed_as_plain_means_over_the_batches():
    model = nn.BatchNorm1d(3)
    learner = supervised()
    norm = learner.task.head[0]
    learner(batch(), player="all", progress=1.0)
    before = norm.running_mean.clone()
    averaging.renew_statistics(learner, [(batch(32), 1.0), (batch(64), 1.0)])
    with torch.no_grad():
        learner.eval()
        means = [learner.encoder(batch(n)).pooled.mean(dim=0) for n in (32, 64)]
    torch.testing.assert_close(norm.running_mean, (means[0] + means[1]) / 2)
    assert not torch.allclose(norm.running_mean, before)
    assert norm.momentum == model.momentum


def test_a_missing_library_is_named_with_what_to_install(monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest):
        if name == "pytorch_optimizer":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UserError, match=r"headstart\[optim\]"):
        build([nn.Parameter(torch.ones(2, 2))], "lion")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [("lionn", {}, "lion"), ("adamw", {"nestrov": True}, "nestrov"), ("muon", {"b": 1}, "'b'")],
)
def test_mistakes_are_named(name, options, message):
    with pytest.raises(UserError, match=message):
        build([nn.Parameter(torch.ones(2, 2))], name, optimizer_options=options)
