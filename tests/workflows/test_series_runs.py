"""The whole path by command line, on series of many lengths with missing values."""

import csv
import json

import numpy as np
import pytest

from headstart.cli import main
from waves import waves

SHORT = ["--steps", "40", "--batch-size", "32", "--set", "backbone.width=16"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    x, y = waves(200, missing=0.05)
    test, labels = waves(80, seed=1, missing=0.05)
    path = tmp_path_factory.mktemp("series") / "waves.npz"
    np.savez(path, series_train=x, y_train=y, series_test=test, y_test=labels)
    return path


@pytest.fixture(scope="module")
def runs(source):
    folder = source.parent
    first, second = folder / "pre", folder / "model"
    assert main(["pretrain", str(source), "--out", str(first), *SHORT]) == 0
    at = ["finetune", str(source), "--from", str(first), "--out", str(second), "--no-report"]
    assert main([*at, *SHORT[:4]]) == 0
    return first, second


def test_series_are_learned_and_answered_for(source, runs, tmp_path, capsys):
    pre, model = runs
    result = json.loads((model / "result.json").read_text())
    assert result["test"]["accuracy"] > 0.9
    assert json.loads((pre / "result.json").read_text())["objective"] == "simclr"
    assert (pre / "report.html").exists()
    assert main(["evaluate", str(model), str(source), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == result["test"]["accuracy"]
    out = tmp_path / "answers.csv"
    assert main(["predict", str(model), str(source), "--out", str(out)]) == 0
    with out.open() as file:
        rows = list(csv.DictReader(file))
    labels = np.load(source)["y_test"]
    assert np.mean([int(r["label"]) == y for r, y in zip(rows, labels, strict=True)]) > 0.9
    assert main(["embed", str(pre), str(source), "--out", str(tmp_path / "e.npy")]) == 0
    assert np.load(tmp_path / "e.npy").shape == (80, 32)


def test_how_much_a_series_is_padded_does_not_matter(runs, tmp_path):
    """Answers hang on the series alone, not on how long its neighbours are."""
    from headstart import load

    x, _ = waves(30, seed=2)
    x[:, :, 30:] = np.nan
    model = load(runs[1])
    wide, narrow = model.predict(x), model.predict(x[:, :, :30])
    np.testing.assert_array_equal(wide["probability_0"], narrow["probability_0"])


def test_an_array_of_series_needs_its_kind(tmp_path, capsys):
    x, y = waves(60, varying=False)
    path = tmp_path / "x.npz"
    np.savez(path, x=x[:, 0], y=y)
    at = ["finetune", str(path), "--out", str(tmp_path / "run"), "--steps", "2", "--no-report"]
    for asked, kind in (([], "table"), (["--kind", "series"], "series")):
        assert main([*at, *asked, "--overwrite"]) == 0
        prepared = json.loads((tmp_path / "run" / "preprocessing.json").read_text())
        assert prepared["modality"] == kind
    assert main([*at, "--set", "modality.name=series", "--overwrite"]) == 0
    prepared = json.loads((tmp_path / "run" / "preprocessing.json").read_text())
    assert prepared["modality"] == "series"
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 12
