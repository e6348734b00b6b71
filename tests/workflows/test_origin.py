"""A run knows what it learned from, wherever it is asked and whatever the data are called by then."""

import csv
import json
import shutil

import numpy as np
import pytest

import headstart as hs
from headstart.cli import main
from headstart.data.dataset import Samples
from headstart.report.build import _test
from headstart.serve.explain import Memory
from headstart.workflows import answer, origin
from headstart.workflows.answer import open_for, own_data
from headstart.workflows.loaded import load_run

SMALL = {
    "backbone": {"name": "tabm", "members": 2, "width": 8, "depth": 1},
    "baselines": False,
    "steps": 3,
}


def rows(count, seed):
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, count))
    return [
        {"x": f"{a:.5f}", "z": f"{b:.5f}", "y": "ny"[int(a > 0)]} for a, b in zip(x, z, strict=True)
    ]


def written(path, lines):
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, lines[0])
        table.writeheader()
        table.writerows(lines)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run whose data were named relative to the folder it was made in."""
    folder = tmp_path_factory.mktemp("here")
    written(folder / "a.csv", rows(150, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        hs.finetune("a.csv", target="y", out="run", **SMALL)
    return folder


def test_from_another_folder_the_test_split_is_the_same(place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = hs.load(place / "run")
    wanted = run.result["test"]
    assert run.config["data"]["path"] == "a.csv"  # as it was typed
    for data in (None, place / "a.csv"):
        found = run.evaluate(data)
        assert (found["split"], found["n"]) == ("test", 30)
        assert found["confusion"] == wanted["confusion"]
    assert main(["evaluate", str(place / "run"), str(place / "a.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["confusion"] == wanted["confusion"]
    written(tmp_path / "a.csv", rows(40, 9))  # of the same name, and not what was learned from
    assert run.evaluate()["confusion"] == wanted["confusion"]
    assert run.evaluate("a.csv")["n"] == 40


def test_report_service_and_export_find_the_data_from_another_folder(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = load_run(place / "run")
    assert len(_test(run, open_for(run, own_data(run)))[0]) == 30
    assert len(Memory.of(run, 500).x) == 120
    pytest.importorskip("onnxscript")
    assert hs.load(place / "run").export(tmp_path / "a.onnx")["samples"] == 30


def test_a_copy_of_the_data_is_cut_as_they_were(place, tmp_path):
    run = hs.load(place / "run")
    copy = tmp_path / "copy.csv"
    shutil.copy(place / "a.csv", copy)
    found = run.evaluate(copy)
    assert (found["split"], found["n"]) == ("test", 30)
    assert found["confusion"] == run.result["test"]["confusion"]
    pandas = pytest.importorskip("pandas")
    assert run.evaluate(pandas.read_csv(copy))["n"] == 30


def test_training_samples_among_those_judged_by_are_warned_of(place, tmp_path, capsys):
    run = hs.load(place / "run")
    train = open_for(load_run(run.path), own_data(load_run(run.path))).train
    lines = rows(150, 0)
    known = [lines[int(train.name(i).split(":")[1]) - 2] for i in range(len(train))]
    half = written(tmp_path / "half.csv", [*known[:60], *rows(80, 5)])
    with pytest.warns(UserWarning, match="50% of the training samples that were looked at"):
        found = run.evaluate(half)
    assert found["n"] == 140
    assert main(["evaluate", str(run.path), str(half), "--quiet"]) == 0
    assert "warning: 50% of the training samples" in capsys.readouterr().err
    assert "warning" not in run.evaluate(written(tmp_path / "new.csv", rows(90, 3)))
    with pytest.warns(UserWarning, match="100% of the training"):
        run.evaluate(split="train")


def test_runs_that_do_not_know_where_their_data_were_are_read_as_before(
    place, monkeypatch, tmp_path
):
    shutil.copytree(place / "run", tmp_path / "run")
    file = tmp_path / "run" / "result.json"
    result = json.loads(file.read_text())
    assert result.pop("source")["path"] == str(place / "a.csv")
    file.write_text(json.dumps(result))
    old = hs.load(tmp_path / "run")
    with pytest.raises(hs.UserError, match=r"a\.csv is no file or folder"):
        old.evaluate()
    monkeypatch.chdir(place)
    assert old.evaluate()["n"] == 30


def test_data_that_moved_are_looked_for_as_they_were_typed(place, monkeypatch, tmp_path):
    shutil.copytree(place / "run", tmp_path / "run")
    file = tmp_path / "run" / "result.json"
    result = json.loads(file.read_text())
    result["source"]["path"] = str(tmp_path / "gone" / "a.csv")
    file.write_text(json.dumps(result))
    monkeypatch.chdir(place)
    assert hs.load(tmp_path / "run").evaluate()["n"] == 30


def test_samples_of_every_form_are_known_again(tmp_path):
    rng = np.random.default_rng(0)
    texts = np.array([f"text {i}" for i in range(50)], dtype=object)
    for inputs in (rng.normal(size=(50, 3)), rng.integers(0, 255, (50, 4, 4, 3)), texts):
        kept = {"source": {"prints": origin._remembered(Samples(inputs), ())}}
        assert origin.found_again(kept, Samples(inputs), ()) == 1.0
        assert origin.found_again(kept, Samples(inputs[25:]), ()) == 0.5
    assert origin._remembered(Samples(np.zeros((50, 3))), ()) == ""  # equal rows tell nothing
    assert origin.found_again({}, Samples(texts), ()) is None
    from headstart.data.files import of_paths

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(20):
            (tmp_path / name / f"{i}.bin").write_bytes(f"{name}{i}".encode())
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    one, other, same = (
        Samples(of_paths(sorted((tmp_path / n).iterdir()), str(tmp_path))) for n in "abc"
    )
    kept = {"source": {"prints": origin._remembered(one, ())}}
    assert origin.found_again(kept, same, ()) == 1.0
    assert origin.found_again(kept, other, ()) == 0.0


def test_other_texts_are_read_as_those_that_were_learned_from(tmp_path):
    rng = np.random.default_rng(0)
    good, bad = (["fine", "good", "lovely", "nice"], ["poor", "bad", "awful", "sad"])

    def texts(count):
        kinds = rng.integers(0, 2, count)
        words = [" ".join(rng.choice((bad, good)[k], 5)) for k in kinds]
        return [
            {"id": i, "said": w, "mood": ("low", "high")[k], "who": f"p{i % 7}", "note": "-"}
            for i, (w, k) in enumerate(zip(words, kinds, strict=True))
        ]

    data = written(tmp_path / "a.csv", texts(80))
    run = hs.finetune(
        data, text_column="said", target="mood", steps=2, out=tmp_path / "run",
        backbone={"name": "textconv", "width": 8},
    )  # fmt: skip
    other = written(tmp_path / "other.csv", texts(30))
    assert run.evaluate(other)["n"] == 30
    renamed = [{**{k: r[k] for k in ("id", "note", "mood")}, "text": r["said"]} for r in texts(20)]
    written(tmp_path / "renamed.csv", renamed)
    assert run.evaluate(tmp_path / "renamed.csv", text_column="text")["n"] == 20
    with pytest.raises(hs.UserError, match="no setting 'text_colum'"):
        run.evaluate(other, text_colum="text")


def test_a_group_that_other_data_do_not_tell_is_not_asked_for(tmp_path):
    lines = [{**row, "who": f"p{i % 12}"} for i, row in enumerate(rows(120, 0))]
    data = written(tmp_path / "a.csv", lines)
    run = hs.finetune(data, target="y", group="who", out=tmp_path / "run", **SMALL)
    assert run.evaluate(written(tmp_path / "b.csv", rows(40, 2)))["n"] == 40
    shutil.copy(data, tmp_path / "copy.csv")  # cut by the same groups, with which it is read
    assert run.evaluate(tmp_path / "copy.csv")["confusion"] == run.result["test"]["confusion"]
    assert answer.own_data(load_run(run.path)).group == "who"
    unlabelled = written(tmp_path / "pool.csv", [{k: r[k] for k in "xz"} for r in rows(30, 4)])
    assert len(hs.label(run, unlabelled, count=3, rule="random")) == 3
    with pytest.raises(hs.UserError, match="no column 'y' to take targets from"):
        run.evaluate(unlabelled)
