"""Several labels a recording, the whole way: two spoken digits in each, both of them true."""

import csv
import json
import re

import numpy as np
import pytest
import soundfile

import headstart as hs
from headstart.cli import main

DIGITS = ("0", "3", "6", "7")
SMALL = {"name": "audioconv", "widths": [8, 16, 32], "dim": 64}


@pytest.fixture(scope="module")
def pairs(shared_data, tmp_path_factory):
    """Two different digits of one speaker after one another; test is of other recordings."""
    spoken = shared_data / "spoken-digits"
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    rows = ["file,digits,split"]
    for split, count, takes in (("train", 100, range(5, 30)), ("test", 40, range(5))):
        for i in range(count):
            said = rng.choice(DIGITS, 2, replace=False)
            speaker = rng.choice(["jackson", "theo"])
            names = [f"{digit}_{speaker}_{rng.choice(takes)}.wav" for digit in said]
            waves, rates = zip(*(soundfile.read(spoken / name) for name in names), strict=True)
            assert set(rates) == {8_000}
            soundfile.write(folder / f"{split}{i}.wav", np.concatenate(waves), 8_000)
            rows.append(f"{split}{i}.wav,{'|'.join(said)},{split}")
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n")
    return folder / "pairs.csv"


@pytest.fixture(scope="module")
def model(pairs, tmp_path_factory):
    return hs.finetune(
        str(pairs), target="digits", task="multilabel", backbone=SMALL, steps=60, batch_size=16,
        lr=5e-3, out=tmp_path_factory.mktemp("runs") / "model",
    )  # fmt: skip


def test_both_digits_of_a_recording_are_heard(model, pairs, tmp_path, capsys):
    test = model.result["test"]
    assert test["n"] == 40
    assert test["micro_f1"] > 0.8  # two of the four at random, or always the same two: 0.5
    capsys.readouterr()
    assert main(["evaluate", str(model.path), str(pairs), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["micro_f1"] == pytest.approx(test["micro_f1"])
    out = tmp_path / "answers.csv"
    assert main(["predict", str(model.path), str(pairs), "--out", str(out)]) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    listed = csv.DictReader(pairs.read_text().splitlines())
    truth = [row for row in listed if row["split"] == "test"]
    both = [
        set(row["labels"].split("|")) == set(true["digits"].split("|"))
        for row, true in zip(rows, truth, strict=True)
    ]
    assert np.mean(both) == pytest.approx(test["exact_match"])
    for row in rows:
        likely = {d for d in DIGITS if float(row[f"probability_{d}"]) >= 0.5}
        assert likely == set(row["labels"].strip("|").split("|")) - {""}


def test_the_report_tells_what_was_asked_for_and_what_was_missed(model):
    assert main(["report", str(model.path)]) == 0
    page = (model.path / "report.html").read_text(encoding="utf-8")
    for name in ("micro_f1", "mean_average_precision", "exact_match"):
        words, figure = f"test {name.replace('_', ' ')}", f"{model.result['test'][name]:.4f}"
        assert re.search(rf"{words}\s*</t[hd]>\s*<t[hd][^>]*>\s*{figure}", page)
    wrong = model.result["test"]["exact_match"] < 1
    assert (model.path / "plots" / "mistakes.png").exists() == wrong


def test_ways_are_compared_by_the_figure_of_several_labels(pairs, tmp_path):
    found = hs.compare(
        str(pairs), target="digits", task="multilabel", labels=40, seeds=2, steps=2,
        pretrain_steps=2, baselines=["mfcc"], backbone=SMALL, out=tmp_path / "out",
    ).result  # fmt: skip
    assert (found["metric"], found["smaller_is_better"]) == ("micro_f1", False)
    cepstra = next(m for m in found["methods"] if m["name"] == "mfcc")
    assert cepstra["points"][0]["mean"] > 0.5
