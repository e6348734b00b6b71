"""`recommend`: a short try, a reason for each part, and settings that pre-train."""

import json
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest

import headstart as hs
from headstart import modalities, objectives
from headstart.cli import main
from headstart.study import recommend as study
from headstart.workflows import candidates
from headstart.workflows.bakeoff import BakeOff, Tried
from headstart.workflows.config import DataConfig
from learners import ROWS


@pytest.fixture
def short(monkeypatch):
    """A shorter try than a user would make."""
    monkeypatch.setattr(candidates, "FEW", {"image": ("vicreg",), "table": ("denoising",)})


def test_pictures(tmp_path, capsys, short):
    file = tmp_path / "start.yaml"
    out = ["recommend", "digits", "--minutes", "0.07", "--out", str(file), "--json"]
    assert main(out) == 0
    found = json.loads(capsys.readouterr().out)
    tried = {t["objective"]: t["score"] for t in found["tried"]["tried"]}
    assert set(tried) == {"autoencoder", "vicreg"}
    few = min(t["steps"] for t in found["tried"]["tried"]) < study.TELLING
    assert found["objective"] == ("vicreg" if few else max(tried, key=tried.get))
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


def test_what_is_tried_is_known_and_among_what_auto_tries():
    assert set(candidates.ALL) == set(candidates.FEW) == set(modalities.table)
    for kind, names in candidates.ALL.items():
        assert set(names) <= set(objectives.table)
        few = candidates.few(kind, modalities.table.load(kind).default_objective)
        assert set(few) < set(names)


def test_a_try_that_diverges_is_left_out_with_its_reason(monkeypatch):
    monkeypatch.setattr(candidates, "FEW", {"image": ("astray",)})
    with patch.dict(objectives.table._own, ROWS):
        found = study.recommend(DataConfig(path="digits"), minutes=0.07)
    astray, _ = found.tried["tried"]
    assert found.objective == "autoencoder"
    assert astray["score"] is None
    assert "training diverged" in astray["why"]


def tries(**steps):
    """What a try of so many steps found; the last one has the best score."""
    each = [Tried(n, s, 9.0, 6.0, 0.5 + i / 10) for i, (n, s) in enumerate(steps.items())]
    return BakeOff(each[-1].objective, "linear probe", 200, each)


def test_a_try_that_says_too_little_leaves_the_usual_objective(monkeypatch, capsys, tmp_path):
    found = {}
    monkeypatch.setattr(study.bakeoff, "bake_off", lambda *_: found["now"])
    np.savez(tmp_path / "x.npz", x=np.zeros((30, 8, 8), np.uint8))
    said = []
    for name, tried in {
        "short": tries(vicreg=300, denoising=19), "long": tries(vicreg=30, denoising=20),
    }.items():  # fmt: skip
        found["now"] = tried
        one = study.recommend(DataConfig(path=str(tmp_path / "x.npz")), say=said.append)
        assert one.objective == ("vicreg" if name == "short" else "denoising")
        assert ("too short to tell" in one.reasons[0]) == (name == "short")
        assert one.config["objective"]["name"] == one.objective
        assert f"--objective {one.objective} " in one.commands[0]
        steps = {t.objective: t.steps for t in tried.tried}
        assert one.minutes == pytest.approx(one.steps * 6.0 / steps[one.objective] / 60)
    assert said == ["that was too short to tell: vicreg is the usual one for image data"]


def test_rows_without_labels_are_used_where_that_is_possible(monkeypatch, tmp_path):
    """Adversarial training moves values by little, which the categories of a table are not."""
    monkeypatch.setattr(study.bakeoff, "bake_off", lambda *_: tries(denoising=30))
    rows = [f"{i % 7},{'ab'[i % 2]},{i % 2 if i < 20 else ''}" for i in range(60)]
    (tmp_path / "rows.csv").write_text("\n".join(["x,kind,label", *rows]))
    data = DataConfig(path=str(tmp_path / "rows.csv"))
    found = study.recommend(data)
    assert (found.facts["labels"], found.facts["samples"]) < (21, 61)
    assert "--unlabelled" not in found.commands[1]
    plain = replace(found, facts={**found.facts, "values": "continuous"})
    assert "--unlabelled vat" in study._commands(plain, data)[1]


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
