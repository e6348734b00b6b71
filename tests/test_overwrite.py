"""What `--overwrite` replaces stays whole until the new run begins, whatever is wrong with that."""

import json

import numpy as np
import pytest

import headstart as hs
from headstart.cli import main
from headstart.errors import UserError
from headstart.export.write import Request, export
from headstart.runs.folder import RunFolder
from headstart.workflows.demo import demo
from headstart.workflows.loaded import load_run


def contents(path):
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    rows = np.random.default_rng(0).normal(size=(40, 3)).round(3)
    table = tmp_path_factory.mktemp("data") / "rows.csv"
    lines = [",".join(map(str, [*row, "ab"[i % 2]])) for i, row in enumerate(rows)]
    table.write_text("\n".join(["x,y,z,label", *lines]) + "\n")
    out = tmp_path_factory.mktemp("runs") / "r5"
    given = {
        "objective": "denoising",
        "target": "label",
        "backbone": {"name": "tabm", "width": 8},
    }
    hs.pretrain(str(table), out=out, steps=2, **given)
    return table, out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["finetune", "digitz"], "Did you mean digits?"),
        (["finetune", "{data}", "--target", "lable"], "label"),
        (["finetune", "{data}", "--target", "label", "--set", "task.metrik=f1"], "task.metrik"),
        (["finetune", "{data}", "--target", "label", "--labels", "900"], "450 were asked for"),
        (["finetune", "{data}", "--target", "label", "--device", "toaster"], "toaster"),
        (["finetune", "{data}", "--target", "label", "--optimizer", "adamm"], "adam"),
        (["finetune", "{data}", "--target", "label", "--from", "{out}"], "--from {out} is the"),
        (["finetune", "{data}", "--target", "label", "--teacher", "{out}"], "--teacher {out} is"),
        (["finetune", "{data}", "--labels-from", "{out}/result.json"], "result.json lies in"),
        (["pretrain", "{out}/result.json"], "DATA {out}/result.json lies in"),
        (["pretrain", "{data}", "--objective", "autoencodr"], "autoencoder"),
        (["pretrain", "{data}", "--objective", "auto", "--steps", "2"], "too short"),
    ],
)
def test_a_mistake_leaves_the_run_that_was_there(finished, capsys, arguments, says):
    table, out = finished
    before = contents(out)
    named = {"{data}": str(table), "{out}": str(out)}
    for place, path in named.items():
        arguments = [a.replace(place, path) for a in arguments]
        says = says.replace(place, path)
    code = main([*arguments, "--out", str(out), "--overwrite", "--no-report", "--quiet"])
    assert code == 2
    assert says in capsys.readouterr().err
    assert contents(out) == before


def test_from_python_too(finished):
    table, out = finished
    before = contents(out)
    with pytest.raises(UserError, match=r"--from .* is the folder of the new run"):
        hs.finetune(str(table), start=out, target="label", out=out, overwrite=True)
    assert contents(out) == before


def test_what_goes_well_replaces_it(finished, tmp_path):
    table, _ = finished
    given = {
        "objective": "denoising",
        "target": "label",
        "backbone": {"name": "tabm", "width": 8},
    }
    hs.pretrain(str(table), out=tmp_path / "r", steps=2, **given)
    (tmp_path / "r" / "notes.txt").write_text("of the first run")
    run = hs.pretrain(str(table), out=tmp_path / "r", steps=3, overwrite=True, **given)
    assert run.result["steps"] == 3
    assert len(RunFolder(tmp_path / "r").read_progress()) == 3
    assert not (tmp_path / "r" / "notes.txt").exists()


def test_a_resumed_run_is_made_longer_and_not_shorter(tmp_path, capsys):
    rows = [f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y,label", *rows]) + "\n")
    out = tmp_path / "r"
    command = ["pretrain", str(tmp_path / "t.csv"), "--target", "label", "--objective", "denoising",
               "--backbone", "tabm", "--batch-size", "8", "--out", str(out), "--no-report",
               "--quiet", "--resume"]  # fmt: skip
    assert main([*command, "--steps", "6"]) == 0
    before = contents(out)
    for shorter in (["--steps", "5"], ["--epochs", "1"], ["--minutes", "0.00001"]):
        assert main([*command, *shorter]) == 2
        error = capsys.readouterr().err
        assert f"--resume continues {out}, which has" in error
        assert "Ask for more" in error
        assert contents(out) == before
    assert main([*command, "--steps", "6"]) == 0
    assert main([*command, "--steps", "8"]) == 0
    assert json.loads((out / "result.json").read_text())["steps"] == 8


def test_a_demo_replaces_no_run_of_another_kind(finished, tmp_path):
    table, _ = finished
    given = {"objective": "denoising", "backbone": {"name": "tabm", "width": 8}}
    hs.pretrain(str(table), target="label", out=tmp_path / "pretrained", steps=2, **given)
    before = contents(tmp_path / "pretrained")
    with pytest.raises(UserError, match="no demo's"):
        demo(tmp_path)
    assert contents(tmp_path / "pretrained") == before
    assert json.loads(before["result.json"])["steps"] == 2


def test_an_export_does_not_replace_a_runs_own_weights(finished):
    _, out = finished
    before = contents(out)
    with pytest.raises(UserError, match="the model of a run"):
        export(load_run(out), Request(out / "model.safetensors"))
    assert contents(out) == before
