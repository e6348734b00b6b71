"""The command line as a user meets it: whole commands, exit codes, messages, files."""

import csv
import json

import numpy as np
import pytest

from headstart.cli import main


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    return code, *capsys.readouterr()


def test_the_main_job(tmp_path, capsys, model_run):
    code, out, _ = run(capsys, "evaluate", model_run.path, "--json")
    figures = json.loads(out)
    assert code == 0
    assert figures["accuracy"] == model_run.result["test"]["accuracy"]
    assert model_run.result["labels"] == 100
    answers = tmp_path / "answers.csv"
    assert run(capsys, "predict", model_run.path, "digits", "--out", answers)[0] == 0
    rows = list(csv.DictReader(answers.read_text().splitlines()))
    assert len(rows) == 1797
    probabilities = [float(v) for k, v in rows[0].items() if k.startswith("probability_")]
    assert sum(probabilities) == pytest.approx(1, abs=1e-4)
    assert rows[0]["label"] == str(np.argmax(probabilities))
    features = tmp_path / "features.npz"
    assert run(capsys, "embed", model_run.path, "digits", "--out", features)[0] == 0
    with np.load(features) as arrays:
        assert arrays["embedding"].shape[0] == len(arrays["target"]) == 1797


def test_a_runs_own_settings_repeat_it(tmp_path, capsys, model_run):
    code, out, err = run(
        capsys, "finetune", "--config", model_run.path / "config.yaml", "--out", tmp_path / "again",
        "--json", "--quiet", "--no-report",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["test"] == model_run.result["test"]


def test_article_collapses_and_its_twin_does_not(tmp_path, capsys, shared_data):
    code, out, err = run(
        capsys, "pretrain", shared_data / "mnist", "--preset", "article", "--steps", 1200,
        "--out", tmp_path / "article", "--no-report",
    )  # fmt: skip
    assert code == 0, err
    assert "it answers the average sample" in out
    own, twin = (
        json.loads((tmp_path / part / "result.json").read_text())["health"]
        for part in ("article", "article/mended")
    )
    assert "average answer" in [finding["name"] for finding in own["findings"]]
    assert own["reconstruction_loss"] == pytest.approx(0.067, abs=0.006)
    assert twin["verdict"] == "healthy"
    assert twin["reconstruction_loss"] < 0.055


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pretrain", "digits"], "--out"),
        (["pretrain", "nowhere", "--out", "{tmp}/r"], "no file or folder"),
        (["pretrain", "digits", "--out", "{tmp}/r", "--objectiv", "x"], "did you mean --objective"),
        (["pretrain", "digits", "--out", "{tmp}/r", "--objective", "autoencodr"], "autoencoder"),
        (["pretrain", "digits", "--out", "{tmp}/r", "--activation", "rellu"], "relu"),
        (["pretrain", "digits", "--out", "{tmp}/r", "--optimizer", "adamm"], "adam"),
        (["pretrain", "digits", "--out", "{tmp}/r", "--set", "training.epoch=3"], "training.epoch"),
        (["pretrain", "digits", "--out", "{tmp}/r", "--steps", "0"], "above 0"),
        (["pretrain", "digits", "--out", "{tmp}/r", "--device", "toaster"], "toaster"),
        (["finetune", "digits", "--out", "{tmp}/r", "--from", "nowhere"], "no run at nowhere"),
        (["finetune", "digits", "--out", "{tmp}/r", "--labels-per-class", "900"], "900 were asked"),
        (["finetune", "digits", "--out", "{tmp}/r", "--labels", "0"], "'labels' is 0"),
        (["finetune", "digits", "--out", "{tmp}/r", "--task", "clasification"], "classification"),
        (["evaluate", "nowhere", "digits"], "no run at nowhere"),
        (["predict", "nowhere", "digits", "--out", "{tmp}/no/such.csv"], "no folder"),
        (["inspect", "{tmp}"], "empty"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_mistakes_get_a_sentence_exit_code_2_and_leave_nothing(
    tmp_path, capsys, arguments, message
):
    code, out, err = run(capsys, *[a.replace("{tmp}", str(tmp_path)) for a in arguments])
    assert code == 2
    assert message in err
    assert err.startswith("headstart: ")
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "r").exists()


def test_a_pretraining_run_predicts_nothing_and_says_what_to_do(tmp_path, capsys, encoder_run):
    code, _, err = run(capsys, "predict", encoder_run.path, "digits", "--out", tmp_path / "a.csv")
    assert code == 2
    assert "headstart finetune" in err
    assert not (tmp_path / "a.csv").exists()


@pytest.mark.parametrize("file", ["config.yaml", "preprocessing.json", "model.safetensors"])
def test_a_damaged_run_is_named(tmp_path, capsys, encoder_run, file):
    for name in ("config.yaml", "preprocessing.json", "model.safetensors", "result.json"):
        (tmp_path / name).write_bytes((encoder_run.path / name).read_bytes())
    (tmp_path / file).write_bytes(b"\x00garbage: [")
    code, _, err = run(capsys, "embed", tmp_path, "digits", "--out", tmp_path / "e.npy")
    assert code == 2
    assert file in err


@pytest.mark.parametrize(
    "what", ["objectives", "backbones", "tasks", "modalities", "datasets", "presets", "loggers"]
)
def test_lists(capsys, what):
    code, out, _ = run(capsys, "list", what, "--json")
    assert code == 0
    assert all(json.loads(out).values())


def test_what_the_loss_was_measured_on_is_said(tmp_path, capsys):
    rows = np.random.default_rng(0).normal(size=(150, 6)).round(3)
    (tmp_path / "few.csv").write_text(
        "a,b,c,d,e,f\n" + "\n".join(",".join(map(str, r)) for r in rows)
    )
    told = {}
    for name, source in (("few", tmp_path / "few.csv"), ("digits", "digits")):
        code, out, err = run(
            capsys, "pretrain", source, "--out", tmp_path / name, "--steps", 3, "--no-report",
            "--quiet", "--objective", "autoencoder",
        )  # fmt: skip
        assert code == 0, err
        told[name] = out.splitlines()[0]
    assert told["few"].endswith(" on train (too few samples to hold any out)")
    assert told["digits"].endswith(" on samples held out")


@pytest.mark.slow
def test_demo_shows_that_pretraining_pays(tmp_path, capsys):
    code, out, _ = run(capsys, "demo", "--out", tmp_path / "demo", "--json", "--quiet")
    found = json.loads(out)
    assert code == 0
    assert found["pretrained"]["mean"] > found["scratch"]["mean"]
