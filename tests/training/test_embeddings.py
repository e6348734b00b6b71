import numpy as np
import pytest
import torch
from torch import nn

from headstart.training.embeddings import effective_rank, embedding_figures, look
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
