"""`recommend`: a short try, a reason for each part, and settings that pre-train."""

import json

import numpy as np
import pytest

import headstart as hs
from headstart.cli import main
from headstart.study import recommend as study


@pytest.fixture
def short(monkeypatch):
    """A shorter try than a user would make."""
    monkeypatch.setattr(study, "CANDIDATES", {"image": ("vicreg",), "table": ("denoising",)})


def test_pictures(tmp_path, capsys, short):
    file = tmp_path / "start.yaml"
    out = ["recommend", "digits", "--minutes", "0.07", "--out", str(file), "--json"]
    assert main(out) == 0
    found = json.loads(capsys.readouterr().out)
    tried = {t["objective"]: t["score"] for t in found["tried"]["tried"]}
    assert set(tried) == {"autoencoder", "vicreg"}
    assert found["objective"] == max(tried, key=tried.get)
    assert found["tried"]["judged_by"] == "linear probe"
    assert (found["facts"]["samples"], found["facts"]["distinct_labels"]) == (1438, 10)
    assert 1_500 <= found["steps"] <= 20_000
    assert found["minutes"] > 0
    assert found["memory"] > 2**20
    assert (
        "headstart compare digits --from runs/pretrained --labels 10,100,1000"
        in found["commands"][2]
    )
    run = hs.pretrain("digits", config=file, steps=3, out=tmp_path / "run")
    assert run.result["objective"] == found["objective"]
    assert file.read_text().startswith("# Objective")


def test_rows_of_numbers_for_regression(tmp_path, capsys, short):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5))
    np.savez(tmp_path / "rows.npz", x=x, y=x @ np.arange(5.0))
    assert main(["recommend", str(tmp_path / "rows.npz"), "--minutes", "0.07"]) == 0
    said = capsys.readouterr().out
    assert "--task regression" in said
    assert "Pre-training pays most where labels are few" in said


def test_mistakes(capsys, tmp_path):
    assert main(["recommend", "digits", "--minutes", "0"]) == 2
    assert "--minutes must be above 0" in capsys.readouterr().err
    assert main(["recommend", "digits", "--out", str(tmp_path / "no" / "file.yaml")]) == 2
    assert "there is no folder" in capsys.readouterr().err
