"""The whole path by command line, on series of many lengths with missing values."""

import csv
import json

import numpy as np
import pytest

from headstart.cli import main
from waves import waves

SHORT = ["--steps", "40", "--batch-size", "32", "--set", "backbone.width=16", "--no-report"]


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
    at = ["finetune", str(source), "--from", str(first), "--out", str(second)]
    assert main([*at, *SHORT[:4], "--no-report"]) == 0
    return first, second


def test_series_are_learned_and_answered_for(source, runs, tmp_path, capsys):
    pre, model = runs
    result = json.loads((model / "result.json").read_text())
    assert result["test"]["accuracy"] > 0.9
    assert json.loads((pre / "result.json").read_text())["objective"] == "simclr"
    assert main(["report", str(pre)]) == 0
    assert (pre / "plots" / "augmentation.png").exists()
    capsys.readouterr()
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


@pytest.mark.parametrize(
    ("objective", "backbone"),
    [("masked", "patchts"), ("autoregressive", "tcn"), ("variational", "tcn")],
)
def test_objectives_are_reached_by_name(source, tmp_path, objective, backbone):
    """The backbone that an objective needs is found among those of series."""
    out = tmp_path / "run"
    at = ["pretrain", str(source), "--objective", objective, "--out", str(out), "--no-report"]
    assert main([*at, "--steps", "2", "--set", "backbone.width=16"]) == 0
    assert json.loads((out / "result.json").read_text())["backbone"] == backbone


def test_long_tables_are_answered_for_as_they_were_learned(tmp_path):
    """Columns are named once: a run remembers them."""
    x, y = waves(40, longest=16, channels=1)
    path = tmp_path / "long.csv"
    rows = [
        f"{i},{t},{x[i, 0, t]},{'slow' if y[i] == 0 else 'fast'}"
        for i in range(40)
        for t in range(16)
        if not np.isnan(x[i, 0, t])
    ]
    path.write_text("id,when,value,label\n" + "\n".join(rows))
    run, out = tmp_path / "run", tmp_path / "answers.csv"
    at = ["finetune", str(path), "--series-column", "id", "--time-column", "when"]
    assert main([*at, "--out", str(run), *SHORT]) == 0
    assert main(["predict", str(run), str(path), "--out", str(out)]) == 0
    with out.open() as file:
        found = list(csv.DictReader(file))
    assert [row["name"] for row in found] == [str(i) for i in range(40)]
    assert {row["label"] for row in found} <= {"slow", "fast"}
    other = tmp_path / "other.csv"
    other.write_text(path.read_text())
    assert main(["evaluate", str(run), str(other)]) == 0


@pytest.mark.slow
def test_the_graph_of_a_run_fills_and_pads_as_the_run_does(runs, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    out = tmp_path / "model.onnx"
    assert main(["export", str(runs[1]), "--format", "onnx", "--out", str(out), "--json"]) == 0
    assert out.exists()
