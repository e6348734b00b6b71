"""The whole way on tables, by the command line: pre-train, fine-tune, evaluate, predict, embed."""

import csv
import json

import numpy as np
import pytest

import headstart as hs
from headstart.cli import main

SMALL = [
    "--set", "backbone.members=4", "--set", "backbone.width=32", "--set", "backbone.depth=2",
    "--no-report", "--quiet",
]  # fmt: skip


def write(path, n, seed, columns=("x", "colour", "gap", "y")):
    rng = np.random.default_rng(seed)
    x, gap = rng.normal(size=n), rng.normal(size=n)
    colour = rng.choice(["red", "blue"], n)
    y = np.where((x + 2 * (colour == "red") - 1 + 0.3 * rng.normal(size=n)) > 0, "yes", "no")
    shown = np.where(rng.random(n) < 0.2, "?", np.char.mod("%.4f", gap))
    cells = {"x": np.char.mod("%.4f", x), "colour": colour, "gap": shown, "y": y}
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *zip(*(cells[c] for c in columns), strict=True)])
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    data = write(folder / "a.csv", 400, 0)
    out = folder / "pretrained"
    arguments = [str(data), "--target", "y", *SMALL]
    assert main(["pretrain", *arguments, "--out", str(out), "--steps", "20"]) == 0
    model = folder / "model"
    more = ["--from", str(out), "--no-report", "--quiet"]
    assert main(["finetune", str(data), "--target", "y", *more, "--steps", "60",
                 "--lr", "0.01", "--out", str(model)]) == 0  # fmt: skip
    return folder


def test_the_way_to_a_model_and_what_it_says(runs, capsys):
    before = json.loads((runs / "pretrained" / "result.json").read_text())
    assert before["backbone"] == "tabm"
    assert before["objective"] == "vime"
    assert any("category: colour; number" in n or "number: x, gap" in n for n in before["notes"])
    result = json.loads((runs / "model" / "result.json").read_text())
    assert result["test"]["accuracy"] > 0.8
    assert {"linear", "boosting"} <= set(result["baselines"])
    for figures in result["baselines"].values():
        assert figures["test"]["accuracy"] > 0.7
    assert "accuracy by labels that validated: network" in result["winner"]
    kept = json.loads((runs / "model" / "preprocessing.json").read_text())
    assert [column["name"] for column in kept["columns"]] == ["x", "colour", "gap"]
    other = write(runs / "other.csv", 300, 1, ("gap", "y", "x", "colour"))
    assert main(["evaluate", str(runs / "model"), str(other), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.8


def test_predictions_do_not_hang_on_the_order_of_columns_nor_on_the_target(runs):
    same = write(runs / "new.csv", 50, 2)
    lines = list(csv.DictReader(same.read_text().splitlines()))
    moved = runs / "moved.csv"
    with moved.open("w", newline="") as file:
        rows = csv.DictWriter(file, ["colour", "more", "x", "gap"])
        rows.writeheader()
        rows.writerows(
            {"colour": r["colour"], "more": "!", "x": r["x"], "gap": r["gap"]} for r in lines
        )
    said = []
    for path in (same, moved):
        out = runs / "said.csv"
        assert main(["predict", str(runs / "model"), str(path), "--out", str(out), "--quiet"]) == 0
        said.append([row["label"] for row in csv.DictReader(out.read_text().splitlines())])
    assert said[0] == said[1]
    assert np.mean([s == r["y"] for s, r in zip(said[0], lines, strict=True)]) > 0.8
    strange = runs / "strange.csv"
    strange.write_text("x,colour,gap\n1e6,infrared,?\n,,\n")
    assert main(["predict", str(runs / "model"), str(strange), "--out", str(out), "--quiet"]) == 0
    assert len(out.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,colour\n1,red\n", "column 'gap' is lacking"),
        ("x,colour,gap\n1,red,2\nmany,red,1\n", "bad.csv:3, column 'x': 'many' is no number"),
        ("x,colour,gap\n1,1,2\n2,0.5,1\n", "column 'colour' holds numbers"),
        ("x,colour,gap\n1,red\n", "line 2 has 2 cells"),
    ],
)
def test_files_that_do_not_suit_a_run_are_refused(runs, capsys, text, message):
    (runs / "bad.csv").write_text(text)
    out = ["--out", str(runs / "x.csv"), "--quiet"]
    assert main(["predict", str(runs / "model"), str(runs / "bad.csv"), *out]) == 2
    assert message in capsys.readouterr().err
    assert not (runs / "x.csv").exists()


def test_the_target_must_not_have_been_learned_from(runs, tmp_path, capsys):
    out = tmp_path / "all"
    data = str(runs / "a.csv")
    assert main(["pretrain", data, "--out", str(out), "--steps", "2", *SMALL]) == 0
    told = json.loads((out / "result.json").read_text())["notes"]
    assert any("no column is the target" in note for note in told)
    more = ["--out", str(tmp_path / "m"), "--steps", "2", "--quiet"]
    assert main(["finetune", data, "--target", "y", "--from", str(out), *more]) == 2
    assert "pre-train with --target y too" in capsys.readouterr().err


def test_regression_of_a_column_and_frames(runs, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(runs / "a.csv")
    run = hs.finetune(
        frame, target="x", task={"name": "regression", "loss": "quantile"}, steps=30, out=tmp_path / "r", lr=0.01,
        backbone={"name": "tabm", "members": 2, "width": 16, "depth": 1}, baselines=False,
    )  # fmt: skip
    assert run.result["test"]["mse"] < run.result["test"]["mean_predictor_mse"]
    said = run.predict(frame.drop(columns="x").head(7))
    assert len(said["prediction"]) == 7
    assert (said["low"] < said["high"]).all()
    assert 0.6 < run.result["test"]["coverage"] <= 1
    assert "baselines" not in run.result
