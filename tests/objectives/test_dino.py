"""DINO (arXiv:2104.14294): centring, sharpening, every pair of views, and the teacher that is kept."""

import numpy as np
import pytest
import torch

import samples
from headstart.errors import UserError
from headstart.objectives.dino import cross_entropy, entropy, sharpened
from headstart.types import Batch


def views_of(count=2):
    torch.manual_seed(0)
    x = samples.batch(16).x.repeat(count, 1, 1, 1)
    return Batch(x + 0.1 * torch.randn_like(x), views=count)


def test_teacher_is_centred_and_sharpened_by_the_formula():
    scores, centre = np.random.default_rng(0).normal(size=(2, 5))
    e = np.exp((scores - centre) / 0.04)
    ours = sharpened(torch.from_numpy(scores), torch.from_numpy(centre), 0.04)
    np.testing.assert_allclose(ours.numpy(), e / e.sum(), rtol=1e-10)


def test_cross_entropy_goes_over_every_pair_of_different_views():
    random = np.random.default_rng(0)
    logits = random.normal(size=(2, 3, 4, 6))  # teacher and student, V, B, K
    teacher, q = (np.exp(v) / np.exp(v).sum(-1, keepdims=True) for v in logits)
    pairs = [
        -(teacher[i, b] * np.log(q[j, b])).sum()
        for i in range(3)
        for j in range(3)
        if i != j
        for b in range(4)
    ]
    ours = cross_entropy(torch.from_numpy(teacher), torch.from_numpy(logits[1]))
    assert float(ours) == pytest.approx(np.mean(pairs), rel=1e-10)


def test_entropy_spans_certainty_to_uniformity():
    assert float(entropy(torch.eye(4))) == 0.0
    assert float(entropy(torch.full((3, 8), 1 / 8))) == pytest.approx(np.log(8), rel=1e-6)


def test_no_gradient_reaches_the_teacher_which_is_the_encoder():
    learner = samples.objective("dino")
    learner(views_of(), player="all", progress=0.0).loss.backward()
    for part in (learner.encoder, learner.head):
        assert all(p.grad is None for p in part.parameters())
    trained = {id(p) for p in learner.players()["all"]}
    students = [*learner.student.parameters(), *learner.student_head.parameters()]
    assert trained == {id(p) for p in students}
    assert all(p.grad is not None for p in students)


def test_the_centre_starts_at_the_first_mean_and_follows_the_next():
    learner = samples.objective("dino", centre_momentum=0.9).train()
    means = []
    for _ in range(2):
        batch = views_of()
        with torch.no_grad():
            means.append(learner.head(learner.encoder(batch).pooled).mean(0))
        learner(batch, player="all", progress=0.0)
        learner.after_step(0.0)
        if len(means) == 1:
            torch.testing.assert_close(learner.centre, means[0])
    torch.testing.assert_close(learner.centre, 0.9 * means[0] + 0.1 * means[1])


def test_judging_moves_nothing():
    learner = samples.objective("dino").eval()
    learner.score(views_of())
    learner.after_step(1.0)
    assert not learner.centre.any()


def test_takes_any_number_of_views_from_two():
    learner = samples.objective("dino", views=4)
    assert learner.views == 4
    assert torch.isfinite(learner(views_of(4), player="all", progress=0.0).loss)
    with pytest.raises(UserError, match=r"views"):
        samples.objective("dino", views=1)
