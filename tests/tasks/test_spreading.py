"""Label spreading against scikit-learn's and the closed form; neighbours against sorting."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.semi_supervised import LabelSpreading

import headstart as hs
from headstart.modalities.gradients import BINS, oriented_gradients
from headstart.tasks.spreading import Neighbours, evened, neighbours, spread_labels, whitened
from samples import digits


def graph(n=60, k=4, seed=0):
    points = torch.randn(n, 5, generator=torch.Generator().manual_seed(seed))
    return neighbours([points], k)


def weights(near):
    """W + Wᵀ, dense: `[N, N]`."""
    n = len(near.index)
    dense = torch.zeros(n, n, dtype=torch.float64)
    dense.scatter_(1, near.index, near.likeness.double().clamp(min=0) ** 3)
    return (dense + dense.T).numpy()


@pytest.mark.parametrize("alpha", [0.5, 0.99])
def test_spreading_settles_at_the_closed_form(alpha):
    near = graph()
    y = torch.full((60,), -1)
    y[:6] = torch.tensor([0, 1, 2, 0, 1, 2])
    w = weights(near)
    scale = 1 / np.sqrt(w.sum(axis=1))
    onehot = np.zeros((60, 3))
    onehot[np.arange(6), y[:6]] = 1
    expected = np.linalg.solve(np.eye(60) - alpha * scale[:, None] * w * scale, onehot)  # eq. 3
    expected /= expected.sum(axis=1, keepdims=True)
    found = spread_labels(near, y, 3, alpha=alpha, rounds=4_000)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_spreading_agrees_with_scikit_learn():
    near = graph(seed=1)
    y = torch.full((60,), -1)
    y[:6] = torch.tensor([0, 1, 2, 0, 1, 2])
    model = LabelSpreading(kernel=lambda *_: weights(near), alpha=0.8, max_iter=2_000, tol=1e-9)
    model.fit(np.zeros((60, 1)), y.numpy())
    found = spread_labels(near, y, 3, alpha=0.8, rounds=2_000)
    np.testing.assert_allclose(found, model.label_distributions_, atol=1e-5)


def test_what_no_label_reaches_may_be_anything():
    index = torch.tensor([[1], [0], [3], [2]])
    near = Neighbours(index, torch.ones(4, 1))
    found = spread_labels(near, torch.tensor([1, -1, -1, -1]), 2)
    torch.testing.assert_close(
        found, torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.5, 0.5], [0.5, 0.5]])
    )


def test_neighbours_are_the_largest_cosines_and_never_oneself():
    points = torch.randn(1_203, 6, generator=torch.Generator().manual_seed(2))  # over two chunks
    near = neighbours([points, points[:, :2]], 3)
    space = torch.cat([whitened(points), whitened(points[:, :2])], dim=1) / 2**0.5
    cosine = (space @ space.T).fill_diagonal_(-2)
    torch.testing.assert_close(near.likeness, cosine.sort(descending=True).values[:, :3])
    assert not (near.index == torch.arange(1_203)[:, None]).any()


def test_directions_are_divided_by_the_root_of_their_deviation():
    generator = torch.Generator().manual_seed(3)
    points = torch.randn(500, 6, generator=generator) * torch.tensor([9.0, 4.0, 2.0, 1.0, 0.5, 0.0])
    u, s, _ = np.linalg.svd((points - points.mean(dim=0)).double().numpy(), full_matrices=False)
    scores = u[:, :4] * s[:4] ** 0.5  # principal components over the roots of their deviations
    scores /= np.linalg.norm(scores, axis=1, keepdims=True)
    found = whitened(points, directions=4)
    np.testing.assert_allclose((found @ found.T).numpy(), scores @ scores.T, atol=1e-4)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_evened_answers_have_the_shares_asked_for(seed, classes):
    generator = torch.Generator().manual_seed(seed)
    answers = torch.rand(300, classes, generator=generator).pow(2) + 0.01
    answers /= answers.sum(dim=1, keepdim=True)
    prior = torch.rand(classes, generator=generator) + 0.3
    prior /= prior.sum()
    found = evened(answers, prior, rounds=200)
    torch.testing.assert_close(found.mean(dim=0), prior, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(300))


def test_gradients_of_an_edge_lie_in_its_direction():
    x = torch.zeros(1, 1, 28, 28)
    x[..., 14:] = 1.0  # brighter to the right: direction 0
    by_direction = oriented_gradients(x).view(BINS, -1).norm(dim=1)
    assert by_direction[0] == pytest.approx(1.0)
    turned = oriented_gradients(x.rot90(1, dims=(2, 3))).view(BINS, -1).norm(dim=1)
    assert turned.argmax() in (2, 6)
    assert turned.max() == pytest.approx(1.0)


def test_a_shifted_digit_is_known_by_its_gradients_rather_than_by_its_pixels():
    x, y = digits()
    x = torch.nn.functional.interpolate(x.float() / 255, (28, 28), mode="bilinear")
    known, asked = slice(0, 400), slice(400, 600)
    moved = x[asked].roll((2, 2), dims=(2, 3))

    def right(describe):
        near = torch.nn.functional.normalize(describe(moved)) @ describe(x[known]).T
        return float((y[known][near.argmax(dim=1)] == y[asked]).float().mean())

    pixels = right(lambda x: torch.nn.functional.normalize(x.flatten(1)))
    assert right(oriented_gradients) > pixels + 0.1


@pytest.mark.parametrize("shape", [(8, 8), (5, 30), (64, 48)])
def test_pictures_of_any_size_and_colour_are_described(shape):
    assert oriented_gradients(torch.rand(3, 3, *shape)).isfinite().all()


def test_one_label_a_class_is_enough_where_neighbours_tell(tmp_path):
    run = hs.finetune(
        "digits", labels_per_class=1, unlabelled="self-train", steps=80, batch_size=96, lr=5e-3,
        backbone={"name": "conv", "widths": [16, 32]}, out=tmp_path / "one",
    )  # fmt: skip
    assert run.result["test"]["accuracy"] > 0.85  # labels alone: about 0.5
