"""Answers averaged over weakly augmented copies, on request."""

import csv
import json

import numpy as np
import pytest
import torch

import headstart as hs
from headstart.cli import main
from headstart.types import Batch
from headstart.workflows.loaded import load_run


def test_answers_are_the_mean_over_the_sample_and_its_copies(model_run):
    run = load_run(model_run.path)
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), dtype=np.uint8))
    torch.manual_seed(3)
    found = run.task.probabilities(run.outputs(x, copies=2))
    torch.manual_seed(3)
    with torch.no_grad():
        views = [run.modality.prepare(x), run.modality.augment(x), run.modality.augment(x)]
        wanted = [run.supervised.outputs(Batch(v)).softmax(1) for v in views]
    torch.testing.assert_close(found, torch.stack(wanted).mean(0))


def test_commands_take_tta_and_repeat_themselves(model_run, tmp_path, capsys):
    figures = []
    for tta in (0, 8, 8):
        assert main(["evaluate", str(model_run.path), "--tta", str(tta), "--json"]) == 0
        figures.append(json.loads(capsys.readouterr().out))
    assert figures[1] == figures[2] != figures[0]
    assert figures[1]["accuracy"] > figures[0]["accuracy"] - 0.02
    out = tmp_path / "a.csv"
    assert main(["predict", str(model_run.path), "digits", "--tta", "2", "--out", str(out)]) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    total = sum(float(v) for k, v in rows[0].items() if k.startswith("probability_"))
    assert total == pytest.approx(1, abs=1e-4)


@pytest.fixture(scope="module")
def rows_run(tmp_path_factory):
    """A run on rows of numbers, which weak augmentation leaves as they are."""
    from sklearn.datasets import load_wine

    folder = tmp_path_factory.mktemp("rows")
    bunch = load_wine()
    np.savez(folder / "wine.npz", x=bunch.data, y=bunch.target)
    return hs.finetune(folder / "wine.npz", steps=5, out=folder / "run")


def test_averaging_over_equal_copies_is_refused(rows_run):
    with pytest.raises(hs.UserError, match="leaves these samples as they are"):
        rows_run.evaluate(tta=4)
    with pytest.raises(hs.UserError, match="0 or more"):
        rows_run.evaluate(tta=-1)
