"""`compare`: the same draws for all, killed and continued, and a verdict on what was measured."""

import json
import os
import signal
import time

import numpy as np
import pytest

import headstart as hs
from forks import begun, ended, is_over
from headstart.cli import main
from headstart.errors import UserError

SETTINGS = {
    "labels": [20], "seeds": 2, "objective": "autoencoder", "backbone": "mlp", "steps": 10,
    "pretrain_steps": 20, "baselines": ["hog"],
}  # fmt: skip
COMMAND = [
    "compare", "digits", "--labels", "20", "--seeds", "2", "--objective", "autoencoder",
    "--backbone", "mlp", "--steps", "10", "--pretrain-steps", "20", "--baselines", "hog",
]  # fmt: skip


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A comparison that was killed after its second cell, and what it had done."""
    out = tmp_path_factory.mktemp("compare") / "digits"
    command = [*COMMAND, "--out", str(out), "--quiet"]
    pid = begun(lambda: main(command), out.parent / "said")
    while len(list(out.glob("cells/*.json"))) < 2 and not is_over(pid):
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    ended(pid)
    return out, {p.name: p.stat().st_mtime_ns for p in out.glob("cells/*.json")}


@pytest.fixture(scope="module")
def study(killed):
    return hs.compare("digits", out=killed[0], **SETTINGS)


def test_a_killed_comparison_goes_on(study, killed):
    before = killed[1]
    assert 2 <= len(before) < 10
    after = {p.name: p.stat().st_mtime_ns for p in study.path.glob("cells/*.json")}
    assert len(after) == 10
    assert before.items() <= after.items()
    assert study.result["status"] == "done"
    assert not list(study.path.glob("runs/*/checkpoints"))


def test_both_arms_are_fine_tuned_by_the_augmentation_that_is_asked_for(tmp_path):
    main([
        *COMMAND, "--out", str(tmp_path / "out"), "--seeds", "1", "--baselines", "none", "--quiet",
        "--set", "finetune.modality.augment.kind=none",
        "--set", "finetune.modality.augment.flip=0.25",
    ])  # fmt: skip
    states = [json.loads(p.read_text()) for p in tmp_path.glob("out/runs/*/preprocessing.json")]
    weak = [state["augment"]["weak"] for state in states]
    assert len(weak) == 2
    assert weak[0] == weak[1]
    assert (weak[0]["flip"], weak[0]["rotate"]) == (0.25, 0.0)


def test_a_cell_is_what_finetune_gives_for_the_same_draw(study, tmp_path):
    run = hs.finetune(
        "digits", start=study.path / "pretrained" / "autoencoder", labels=20, seed=1, steps=10,
        out=tmp_path / "run",
    )  # fmt: skip
    points = study.result["methods"][0]["points"]
    assert points[0]["labels"] == 20
    assert points[0]["values"][1] == run.result["test"]["error"]


def test_all_methods_are_there_and_one_pretraining_serves_all(study):
    names = [m["name"] for m in study.result["methods"]]
    assert names == [
        "autoencoder", "autoencoder, linear probe", "autoencoder, neighbours", "from scratch", "hog",
    ]  # fmt: skip
    assert [p.name for p in (study.path / "pretrained").iterdir()] == ["autoencoder"]
    main_ones = [c for c in study.result["comparisons"] if c["main"]]
    assert [(c["method"], c["against"]) for c in main_ones] == [("autoencoder", "from scratch")]
    assert "autoencoder" in study.verdict


def test_more_draws_keep_what_is_there_and_other_steps_are_refused(study, capsys):
    assert main([*COMMAND[:5], "1", *COMMAND[6:], "--out", str(study.path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["seeds"] == 1
    assert all(c["p"] is None for c in found["comparisons"])
    with pytest.raises(UserError, match="other settings") as caught:
        hs.compare("digits", out=study.path, **{**SETTINGS, "steps": 11})
    assert "steps: 10 then, 11 now" in caught.value.hints[0]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--labels", "ten"], "--labels ten: expected numbers"),
        (["--labels", "5"], "less than one for each of 10 classes"),
        (["--objective", "mlm"], "does not learn from samples of kind"),
        (["--objective", "simclear"], "simclear"),
        (["--metric", "macrof1"], "no figure 'macrof1'.\n           Did you mean macro_f1?"),
        (["--seeds", "0"], "'seeds' is 0: it must be at least 1"),
        (["--minutes", "1", "--pretrain-steps", "5"], "pre-training included"),
        (["--baselines", "tfidf"], "does not read data of kind 'image'"),
        (["--from", "nowhere"], "there is no run at nowhere"),
    ],
)
def test_mistakes_are_said_before_anything_is_begun(flags, message, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["compare", "digits", "--out", str(out), *flags]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_with_other_things_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    assert main(["compare", "digits", "--out", str(tmp_path)]) == 2
    assert "no comparison" in capsys.readouterr().err


def test_regression_is_compared_by_its_own_figure(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", x=x, y=(x @ [1, 2, 3, 4] + 0.1 * rng.normal(size=200)))
    found = hs.compare(
        tmp_path / "rows.npz", out=tmp_path / "out", labels=50, seeds=2, steps=5,
        pretrain_steps=5, baselines=["linear"],
    ).result  # fmt: skip
    assert (found["task"], found["metric"], found["smaller_is_better"]) == (
        "regression",
        "rmse",
        True,
    )
    linear = next(m for m in found["methods"] if m["name"] == "linear")
    assert linear["points"][0]["mean"] < 0.5


@pytest.mark.slow
def test_several_processes_share_the_work(study, tmp_path):
    again = hs.compare("digits", out=tmp_path / "out", workers=2, **SETTINGS).result
    for one, other in zip(again["methods"], study.result["methods"], strict=True):
        assert one["name"] == other["name"]
