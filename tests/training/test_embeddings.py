import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import nn

from headstart.training.embeddings import effective_rank, embedding_figures, look, retrieval
from samples import backbone, batch


def rankme(z):
    """The paper's equations 1 and 2 (arXiv:2210.02885), by the eigenvalues of the Gram matrix."""
    gram = z.astype(np.float64).T @ z.astype(np.float64)
    sigma = np.sqrt(np.clip(np.linalg.eigvalsh(gram), 0, None))
    p = sigma / np.abs(sigma).sum() + 1e-7
    return np.exp(-np.sum(p * np.log(p)))


@pytest.mark.parametrize("rank", [1, 3, 16])
def test_effective_rank_is_the_papers(rank):
    rng = np.random.default_rng(rank)
    z = (rng.normal(size=(200, rank)) @ rng.normal(size=(rank, 16))).astype(np.float32)
    z += 1e-3 * rng.normal(size=z.shape).astype(np.float32)
    assert effective_rank(torch.from_numpy(z)) == pytest.approx(rankme(z), rel=1e-4)


def test_effective_rank_of_equal_directions_is_their_number():
    eye = torch.eye(12).repeat(5, 1)
    assert effective_rank(eye) == pytest.approx(12, rel=1e-4)
    assert effective_rank(torch.zeros(5, 3)) == 0.0


def test_figures_are_numpys():
    rng = np.random.default_rng(0)
    z = rng.normal(3.0, 0.5, size=(100, 6)).astype(np.float32)
    z[:, 2] = 1.0
    found = embedding_figures(torch.from_numpy(z))
    assert found["dead_units"] == 1
    assert found["embedding_deviation"] == pytest.approx(z.std(0).mean(), rel=1e-4)
    expected = np.sqrt(z.var(0).mean() / (z**2).mean())
    assert found["embedding_spread"] == pytest.approx(expected, rel=1e-4)
    assert found["effective_rank_centred"] == pytest.approx(rankme(z - z.mean(0)), rel=1e-3)


def test_dead_units_are_found_in_the_layer_where_they_are():
    encoder = backbone("conv", activation="relu").eval()
    _, before = look(encoder, batch())
    with torch.no_grad():
        encoder.stem[1].bias[:12] = -100.0  # a normalised unit that far below 0 never fires
    pooled, after = look(encoder, batch())
    name = next(n for n, m in encoder.named_modules() if m is encoder.stem[2])
    assert before[name] == (0, 16)
    assert after[name] == (12, 16)
    assert pooled.shape == (64, encoder.dim)
    assert not any(m._forward_hooks for m in encoder.modules() if isinstance(m, nn.ReLU))


def test_views_find_one_another_as_often_as_scikit_learns_neighbours_say():
    torch.manual_seed(0)
    one = torch.randn(200, 12)
    other = one + 0.9 * torch.randn(200, 12)
    mean = torch.cat([one, other]).mean(0)
    hits = 0
    for a, b in ((one, other), (other, one)):
        near = NearestNeighbors(n_neighbors=1, metric="cosine").fit((b - mean).numpy())
        found = near.kneighbors((a - mean).numpy(), return_distance=False)[:, 0]
        hits += (found == np.arange(200)).sum()
    assert 0.1 < hits / 400 < 0.95
    assert retrieval(one, other) == pytest.approx(hits / 400)
    assert retrieval(5 * one + 3, 5 * one + 3) == 1.0


def test_alike_samples_and_unlike_views_are_not_found():
    torch.manual_seed(0)
    assert retrieval(torch.ones(100, 4), torch.ones(100, 4)) <= 0.01
    assert retrieval(torch.randn(200, 8), torch.randn(200, 8)) < 0.05
    line = torch.randn(500, 1) * torch.ones(1, 8)  # agreement alone, along one direction
    assert retrieval(line, line + 1e-3 * torch.randn(500, 8)) < 0.2
