"""SimCLR (arXiv:2002.05709), its loss computed again one pair at a time."""

import numpy as np
import pytest
import torch

import samples
from headstart.objectives.simclr import nt_xent
from headstart.types import Batch


def one_pair_at_a_time(z1, z2, temperature, past=()):
    """Eq. 1 as it is printed: l(i, j), averaged over all positive pairs in both orders."""
    z = [v / np.linalg.norm(v) for v in (*z1, *z2)]
    n, losses = len(z1), []
    for i in range(2 * n):
        j = (i + n) % (2 * n)
        others = sum(np.exp(z[i] @ z[k] / temperature) for k in range(2 * n) if k != i)
        others += sum(np.exp(z[i] @ p / temperature) for p in past)
        losses.append(-np.log(np.exp(z[i] @ z[j] / temperature) / others))
    return np.mean(losses)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_nt_xent_is_the_papers_double_sum(temperature):
    random = np.random.default_rng(0)
    z1, z2 = random.normal(size=(2, 7, 5))
    ours = nt_xent(torch.from_numpy(z1), torch.from_numpy(z2), temperature)
    assert float(ours) == pytest.approx(one_pair_at_a_time(z1, z2, temperature), rel=1e-10)


def test_remembered_projections_count_among_the_others_once_they_are_there():
    random = np.random.default_rng(0)
    z1, z2 = random.normal(size=(2, 4, 5))
    past = random.normal(size=(6, 5))
    past /= np.linalg.norm(past, axis=1, keepdims=True)
    there = torch.tensor([True, True, False, True, False, False])
    ours = nt_xent(torch.from_numpy(z1), torch.from_numpy(z2), 0.3, (torch.from_numpy(past), there))
    expected = one_pair_at_a_time(z1, z2, 0.3, past[there.numpy()])
    assert float(ours) == pytest.approx(expected, rel=1e-10)


def test_equal_projections_cost_the_logarithm_of_how_many_there_are():
    z = torch.ones(9, 4)
    assert float(nt_xent(z, z, 0.5)) == pytest.approx(np.log(2 * 9 - 1), rel=1e-6)


def test_the_memory_holds_the_newest_projections_in_a_ring():
    learner = samples.objective("simclr", memory=10).train()
    given = []
    for step in range(4):
        torch.manual_seed(step)
        x = samples.batch(8).x
        batch = Batch(x + torch.randn_like(x), views=2)  # 4 samples
        learner(batch, player="all", progress=0.0)
        given.append(learner._fresh)
        learner.after_step(0.0)
    z = torch.nn.functional.normalize(torch.cat(given), dim=1)  # 16, of which 10 are kept
    assert int(learner.filled) == 16
    torch.testing.assert_close(learner.past[[(16 - 10 + i) % 10 for i in range(10)]], z[-10:])


def test_a_memory_smaller_than_the_batch_holds_its_last_rows():
    learner = samples.objective("simclr", memory=3).train()
    learner(Batch(samples.batch(16).x, views=2), player="all", progress=0.0)
    fresh = torch.nn.functional.normalize(learner._fresh, dim=1)
    learner.after_step(0.0)
    torch.testing.assert_close(learner.past, fresh[-3:])


def test_judging_leaves_the_memory_alone():
    learner = samples.objective("simclr", memory=10).eval()
    learner.score(Batch(samples.batch(16).x, views=2))
    learner.after_step(1.0)
    assert int(learner.filled) == 0
