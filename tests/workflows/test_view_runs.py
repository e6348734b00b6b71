"""Objectives that compare views, from the command to the answer."""

import numpy as np
import pytest

import headstart as hs
from headstart.workflows.assemble import batch_size_for


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Rows of four numbers that lie on two heaps."""
    random = np.random.default_rng(0)
    heap = random.integers(0, 2, 300)
    rows = random.normal(size=(300, 4)) + 3 * heap[:, None]
    path = tmp_path_factory.mktemp("data") / "heaps.npz"
    np.savez(path, x=rows.astype(np.float32), y=heap)
    return path


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "byol"
    return hs.pretrain(table, objective="byol", steps=30, out=out)


def test_rows_of_numbers_are_learned_from_by_their_views(run):
    assert run.result["batch_size"] > 128  # what comparisons need, not what the table's size says
    assert run.result["health"]["verdict"] == "healthy"
    assert run.result["val"]["loss"] > 0.01  # two equal views would be predicted at once


def test_where_the_target_moves_the_last_weights_are_kept(run):
    assert run.result["best_step"] == run.result["steps"] == 30


def test_a_run_of_views_is_evaluated_on_views(run, table):
    figures = run.evaluate(table)
    assert 0 < figures["loss"] < 4
    assert run.embed(np.zeros((2, 4))).shape == (2, 64)


def test_one_sample_cannot_be_compared(table, tmp_path):
    with pytest.raises(hs.UserError, match="at least 2"):
        hs.pretrain(table, objective="vicreg", batch_size=1, out=tmp_path / "r")
    assert not (tmp_path / "r" / "config.yaml").exists()


def test_batch_sizes_are_as_asked_as_usual_or_as_the_samples_suggest():
    assert batch_size_for(10_000, 48, 256) == 48
    assert batch_size_for(10_000, None, 256) == 256
    assert batch_size_for(100, None, 256) == 100
    assert batch_size_for(10_000, None) == 64
