"""BYOL (arXiv:2006.07733): its loss, and who learns from whom."""

import numpy as np
import pytest
import torch

import samples
from headstart.objectives.byol import distance
from headstart.types import Batch


def pair():
    torch.manual_seed(0)
    x = samples.batch(32).x
    return Batch(x + 0.1 * torch.randn_like(x), views=2)


def test_distance_is_that_of_unit_vectors():
    q, t = np.random.default_rng(0).normal(size=(2, 9, 4))
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (q, t)]
    expected = ((unit[0] - unit[1]) ** 2).sum(axis=1).mean()
    cosine = (unit[0] * unit[1]).sum(axis=1).mean()
    assert expected == pytest.approx(2 - 2 * cosine)
    assert float(distance(*map(torch.from_numpy, (q, t)))) == pytest.approx(expected, rel=1e-10)


def test_no_gradient_reaches_the_target():
    learner = samples.objective("byol")
    learner(pair(), player="all", progress=0.0).loss.backward()
    assert all(p.grad is None for p in learner.target.parameters())
    assert all(p.grad is not None for p in learner.encoder.parameters())
    trained = {id(p) for p in learner.players()["all"]}
    assert trained.isdisjoint(id(p) for p in learner.target.parameters())


def test_after_a_step_the_target_is_the_moving_average_of_its_student():
    learner = samples.objective("byol", momentum=0.9)
    before = samples.weights(learner.target)
    with torch.no_grad():
        for p in learner.encoder.parameters():
            p.add_(1.0)
    learner.after_step(0.0)
    for name, value in learner.encoder.named_parameters():
        expected = 0.9 * before[f"encoder.{name}"] + 0.1 * value
        torch.testing.assert_close(learner.target.encoder.get_parameter(name), expected)


def test_at_the_end_the_target_stands_still():
    learner = samples.objective("byol")
    before = samples.weights(learner.target)
    with torch.no_grad():
        for p in learner.encoder.parameters():
            p.add_(1.0)
    learner.after_step(1.0)
    assert samples.identical(before, samples.weights(learner.target))
