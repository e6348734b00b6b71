import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from sklearn.datasets import load_digits

import headstart as hs
from headstart.cli.parser import build_parser
from headstart.cli.train import config_from
from headstart.data.inputs import open_inputs
from headstart.settings import as_plain
from headstart.workflows.config import FinetuneConfig, PretrainConfig

ROOT = Path(__file__).parents[1]


def test_a_run_answers(model_run, tmp_path):
    assert model_run.evaluate()["accuracy"] == model_run.result["test"]["accuracy"]
    assert "accuracy" in repr(model_run)
    path = tmp_path / "seven.png"
    Image.fromarray((load_digits().images[7] * 15).astype("uint8")).save(path)
    answers = model_run.predict([path])
    assert answers["name"].tolist() == [str(path)]
    assert model_run.embed(load_digits().images[:4]).shape == (4, 128)
    assert hs.load(model_run.path).config == model_run.config


def test_mistakes_are_named(tmp_path):
    with pytest.raises(hs.UserError, match="did you mean patience"):
        hs.finetune("digits", patienc=3, out=tmp_path / "r")
    with pytest.raises(hs.UserError, match="no run"):
        hs.load(tmp_path / "r")
    with pytest.raises(hs.UserError, match="there is no file"):
        open_inputs([tmp_path / "gone.png"])


def test_the_readmes_python_runs(tmp_path, monkeypatch, capsys):
    """As it stands, but for fewer steps."""
    readme = (ROOT / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    exec(compile(re.sub(r"steps=\d+", "steps=60", code), "README.md", "exec"), {})
    assert float(capsys.readouterr().out) > 0.5


@pytest.mark.parametrize("page", ["watching", "data"])
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    text = (ROOT / "docs" / f"{page}.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    exec(compile(re.sub(r"steps=\d+", "steps=5", code), f"{page}.md", "exec"), {})
    assert capsys.readouterr().out


def test_the_readmes_recipe_is_the_same_typed_and_in_python(tmp_path, monkeypatch):
    """On digits and for two steps; the settings are those of the commands, in both languages."""
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))
    assert re.findall(r"```(?:sh|python)\n.*?```", english, re.DOTALL) == re.findall(
        r"```(?:sh|python)\n.*?```", chinese, re.DOTALL
    )
    typed = re.search(r"```sh\n(.*?)```", english, re.DOTALL)[1].splitlines()
    asked = [build_parser().parse_args(shlex.split(line)[1:]) for line in typed]
    first = config_from(PretrainConfig, asked[0], objective=asked[0].objective)
    second = config_from(FinetuneConfig, asked[1], task=None, start=asked[1].start)
    code = re.findall(r"```python\n(.*?)```", english, re.DOTALL)[1]
    lengths = [int(n) for n in re.findall(r"steps=(\d+)", code)]
    assert lengths == [config.training.duration.amount for config in (first, second)]
    monkeypatch.chdir(tmp_path)
    short = re.sub(r"steps=\d+", "steps=2", code).replace('"mnist"', '"digits"')
    names = {}
    exec(compile(short, "README.md", "exec"), names)
    for config, run in ((first, names["encoder"]), (second, names["model"])):
        plain, made = as_plain(config), run.config
        assert str(run.path) == asked[[first, second].index(config)].out
        assert made["training"]["lr"] == plain["training"]["lr"]
        assert made["seed"] == plain["seed"]
        for group in ("objective", "self_training"):
            for name, value in plain.get(group, {}).items():
                assert made[group][name] == value
        for name in ("start", "labels_per_class", "unlabelled"):
            assert made.get(name) == plain.get(name)


def test_importing_headstart_does_not_import_torch():
    code = "import sys, headstart; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_experts_last_line_is_reachable(tmp_path):
    """The recipe of the README's last figure, in one call: groups of settings, and any by name."""
    run = hs.finetune(
        "digits", labels_per_class=5, unlabelled="self-train", self_training={"share": 0.1},
        modality={"augment": {"kind": "digits"}}, finetune={"layer_decay": 0.8}, size=8,
        activation="relu", lr=3e-3, training={"clip": 0.5}, set={"training.ema": 0.99},
        steps=2, out=tmp_path / "run",
    )  # fmt: skip
    config = run.config
    assert config["self_training"]["share"] == 0.1
    assert config["modality"]["augment"]["kind"] == "digits"
    assert config["modality"]["size"] == 8
    assert config["backbone"]["activation"] == "relu"
    assert {n: config["training"][n] for n in ("lr", "clip", "ema")} == {
        "lr": 3e-3, "clip": 0.5, "ema": 0.99,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ema": 0.99}, r"ema is a setting of training: give set=\{'training\.ema'"),
        ({"modalty": {"size": 8}}, "did you mean modality"),
        ({"training": 3}, "'training' is a group of settings, not 3"),
        ({"lr": 1e-3, "training": {"lr": 1e-2}}, "lr is given twice"),
        ({"set": {"training.emma": 0.9}}, "training.emma"),
    ],
)
def test_mistakes_in_groups_are_named(tmp_path, settings, said):
    with pytest.raises(hs.UserError, match=said):
        hs.finetune("digits", steps=1, out=tmp_path / "r", **settings)


class Count(hs.Watcher):
    """Counts what it is told of."""

    def __init__(self):
        self.logged, self.ended = 0, 0

    def on_log(self, record):
        self.logged += 1

    def on_end(self, learner, at):
        self.ended += 1
        return {"watched": self.logged}


def test_a_run_speaks_leaves_a_report_and_is_watched(tmp_path, capsys):
    x = (load_digits().images[:200] * 15.9).astype("uint8")
    watcher = Count()
    encoder = hs.pretrain(
        x,
        backbone="mlp",
        steps=3,
        watchers=[watcher],
        verbose=True,
        report=True,
        out=tmp_path / "a",
    )
    said = capsys.readouterr()
    assert said.out == ""
    assert "pre-training on 160 samples" in said.err
    assert "report.html" in said.err
    page = (tmp_path / "a" / "report.html").read_text()
    assert "could not be read again" not in page  # the array is there still
    assert (watcher.logged > 0, watcher.ended) == (True, 1)
    watcher = Count()
    hs.finetune(
        (x, load_digits().target[:200]), start=encoder, steps=3, watchers=[watcher], verbose=True,
        report=False, out=tmp_path / "b",
    )  # fmt: skip
    said = capsys.readouterr().err
    assert "6 of 6 tensors match" in said
    assert not (tmp_path / "b" / "report.html").exists()
    assert watcher.ended == 1


def test_answers_without_loading_first(model_run):
    x = load_digits().images[:20]
    run = hs.load(model_run.path, device="cpu")
    assert hs.predict(run, x)["label"].tolist() == model_run.predict(x)["label"].tolist()
    assert hs.embed(model_run.path, x).shape == (20, 128)
    assert hs.evaluate(model_run.path)["accuracy"] == model_run.result["test"]["accuracy"]
    with pytest.raises(hs.UserError, match="toaster"):
        hs.load(model_run.path, device="toaster").predict(x)
    with pytest.raises(hs.UserError, match="did you mean target"):
        run.evaluate("digits", traget="label")


def test_settings_of_a_run_repeat_it_without_naming_the_data(tmp_path, model_run):
    again = hs.finetune(config=model_run.path / "config.yaml", out=tmp_path / "again")
    assert again.result["test"] == model_run.result["test"]


def test_the_test_split_that_a_run_made_can_be_asked_about(model_run):
    made = model_run.result["test"]
    said = model_run.predict("digits", split="test")
    assert len(said["name"]) == made["n"] < len(load_digits().images)
    target = load_digits().target[[int(name) for name in said["name"]]]
    assert (said["label"].astype(int) == target).mean() == pytest.approx(made["accuracy"])


def test_a_split_that_is_not_there_is_named_with_those_that_are(model_run):
    with pytest.raises(hs.UserError, match="no split 'validation'") as error:
        model_run.predict("digits", split="validation")
    assert error.value.hints == ("It has: train, test.",)


def test_new_tables_may_call_their_columns_otherwise(tmp_path):
    texts = [f"{word} film" for word in ("good", "bad") for _ in range(10)]
    labels = ["yes"] * 10 + ["no"] * 10
    run = hs.finetune(
        (texts, labels),
        backbone="ngram",
        steps=2,
        out=tmp_path / "run",
        report=False,
        verbose=False,
    )
    path = tmp_path / "new.csv"
    path.write_text("id,review\n1,good film\n2,bad film\n", encoding="utf-8")
    wanted = run.predict(["good film", "bad film"])
    assert run.predict(path, text_column="review")["label"].tolist() == wanted["label"].tolist()
    assert run.embed(path, text_column="review").shape[0] == 2
    with pytest.raises(hs.UserError, match="--text-column"):
        run.predict(path)
    with pytest.raises(hs.UserError, match="--text-column review does not apply to samples"):
        run.predict(["good film"], text_column="review")
    with pytest.raises(hs.UserError, match="Did you mean text_column"):
        run.predict(path, text_colum="review")
    frame = pytest.importorskip("pandas").read_csv(path)
    with pytest.raises(hs.UserError, match="give a path or a name"):
        run.export(tmp_path / "run.pt2", data=frame)
