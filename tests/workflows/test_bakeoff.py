"""`--objective auto`: what judges, what is tried, and that the best goes on with what is left."""

import json
from unittest.mock import patch

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification

import headstart as hs
from headstart import objectives
from headstart.cli import main
from headstart.training.probes import Labelled, cross_validated
from headstart.workflows import bakeoff
from headstart.workflows.config import PretrainConfig
from headstart.workflows.request import config_of
from learners import ROWS

SHORT = {"candidates": ["autoencoder", "vicreg", "masked"], "share": 0.5}


def run_of(out, capsys, *more):
    sets = ["--set", "objective.candidates=[autoencoder, vicreg, masked]"]
    code = main(
        ["pretrain", "digits", "--objective", "auto", *sets, "--backbone", "mlp", "--steps", "160",
         "--out", str(out), "--no-report", *more]
    )  # fmt: skip
    return code, *capsys.readouterr()


@pytest.fixture(scope="module")
def auto(tmp_path_factory):
    objective = {"name": "auto", **SHORT}
    out = tmp_path_factory.mktemp("auto") / "run"
    return hs.pretrain("digits", objective=objective, steps=100, backbone="mlp", out=out)


def test_the_best_goes_on_with_the_steps_that_are_left(auto):
    found = auto.result["bakeoff"]
    tried = {one["objective"]: one for one in found["tried"]}
    assert tried["autoencoder"]["steps"] == tried["vicreg"]["steps"] == 25
    assert tried["masked"]["score"] is None
    assert "patch" in tried["masked"]["why"]
    scores = {name: one["score"] for name, one in tried.items() if one["score"] is not None}
    assert found["chosen"] == max(scores, key=scores.get) == auto.result["objective"]
    assert auto.result["steps"] == 50
    assert auto.result["labels_probed"] == found["labels"] == 0


def test_one_that_diverges_is_left_out_with_its_reason(tmp_path):
    objective = {"name": "auto", "candidates": ["astray", "autoencoder"], "share": 0.5}
    with patch.dict(objectives.table._own, ROWS):
        run = hs.pretrain("digits", objective=objective, steps=160, backbone="mlp", out=tmp_path)
    astray, sound = run.result["bakeoff"]["tried"]
    assert run.result["objective"] == "autoencoder"
    assert astray["score"] is None
    assert astray["steps"] == 20
    assert "training diverged" in astray["why"]
    assert 0 < sound["score"] <= 1


@pytest.mark.parametrize(("steps", "why"), [(160, "20 steps in a row"), (40, "is not finite")])
def test_where_all_diverge_each_says_why(tmp_path, steps, why):
    """In 10 steps no training is given up; its weights are of no use all the same."""
    objective = {"name": "auto", "candidates": ["autoencoder", "vicreg"], "share": 0.5}
    with pytest.raises(hs.UserError, match="none of the candidates could be trained") as caught:
        hs.pretrain(
            "digits", objective=objective, steps=steps, backbone="mlp", lr=1e30, probe=True,
            out=tmp_path / "r",
        )  # fmt: skip
    first, second, advice = caught.value.hints
    assert first.startswith("- autoencoder: training diverged")
    assert why in first
    assert second.startswith("- vicreg: training diverged")
    assert "--lr" in advice
    assert not (tmp_path / "r").exists()


def test_its_settings_repeat_it_without_another_try(auto, tmp_path):
    again = hs.pretrain("digits", config=auto.path / "config.yaml", out=tmp_path / "again")
    assert "bakeoff" not in again.result
    assert (again.path / "model.safetensors").read_bytes() == (
        auto.path / "model.safetensors"
    ).read_bytes()


def test_a_resumed_run_keeps_its_choice(tmp_path, capsys):
    out = tmp_path / "run"
    assert run_of(out, capsys)[0] == 0
    before = json.loads((out / "result.json").read_text())["bakeoff"]
    code, text, err = run_of(out, capsys, "--resume")
    assert code == 0, err
    assert "was chosen before" in err
    assert json.loads((out / "result.json").read_text())["bakeoff"] == before
    assert "left out" in text


def test_labels_judge_only_with_probe_and_are_counted(tmp_path):
    objective = {"name": "auto", "candidates": ["autoencoder", "vicreg"]}
    run = hs.pretrain(
        "digits", objective=objective, steps=80, backbone="mlp", probe=True, out=tmp_path / "r"
    )
    assert run.result["bakeoff"]["judged_by"] == "linear probe"
    assert run.result["bakeoff"]["labels"] == run.result["labels_probed"] == 1_000
    assert all(0.3 < one["score"] < 1 for one in run.result["bakeoff"]["tried"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"candidates": ["autoencodr"]}, "no objective 'autoencodr'"),
        ({"share": 1.5}, "between 0 and 1"),
        ({"candidates": ["masked"]}, "none of the candidates fits"),
        ({}, "too short to try"),
        ({"shares": 0.2}, "did you mean share"),
    ],
)
def test_mistakes_are_named(tmp_path, settings, message):
    with pytest.raises(hs.UserError, match=message):
        hs.pretrain(
            "digits", objective={"name": "auto", **settings}, backbone="mlp", steps=40,
            out=tmp_path / "r",
        )  # fmt: skip
    assert not (tmp_path / "r").exists()


def test_minutes_are_shared_and_the_rest_is_left_to_the_clock():
    auto = bakeoff.AutoConfig(share=0.2)
    whole = config_of(PretrainConfig, {"training": {"duration": "10 minutes"}}).training.duration
    trying, rest = bakeoff.lengths(auto, whole, 1_000, 100)
    assert (str(trying), str(rest)) == ("2 minutes", "10 minutes")


def test_the_probe_is_right_where_classes_lie_apart_and_guesses_where_they_do_not():
    x, y = make_classification(300, 10, n_informative=8, class_sep=3, random_state=0)
    z, names = torch.from_numpy(x), np.array(["a", "b"])[y]
    assert cross_validated(z, Labelled(z, names), 0) > 0.9
    mixed = np.random.default_rng(0).permutation(names)
    assert cross_validated(z, Labelled(z, mixed), 0) == pytest.approx(0.5, abs=0.12)
    assert cross_validated(z, Labelled(z, x @ np.arange(10.0)), 0) > 0.95  # fractions: R²


def test_a_probe_is_told_nothing_of_the_groups_it_answers_for():
    """Features say who speaks, and each speaker says one thing: across speakers that is worth
    nothing, and within a speaker everything."""
    who = np.repeat(np.arange(40), 10)
    z = torch.eye(40)[who] + 0.01 * torch.randn(400, 40, generator=torch.Generator().manual_seed(0))
    said = np.random.default_rng(0).permutation(40)[who] % 2
    assert cross_validated(z, Labelled(z, said), 0) > 0.95
    assert cross_validated(z, Labelled(z, said, who), 0) < 0.65


def test_where_each_group_is_of_one_class_a_probe_answers_the_others_class():
    z, classes = torch.randn(60, 4), np.repeat(["a", "b"], 30)
    assert cross_validated(z, Labelled(z, classes, classes), 0) == 0.0
