"""The search over settings: what varies, how it is judged, and that nothing is lost or doubled."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("optuna")

import headstart as hs
from headstart.cli import main
from headstart.data.dataset import Dataset, Samples
from headstart.errors import UserError
from headstart.runs.folder import RunFolder
from headstart.settings.files import read_yaml
from headstart.study import tuning_spaces as spaces
from headstart.study.tuning import tune
from headstart.study.tuning_config import TuneConfig
from headstart.study.tuning_journal import JOURNAL, Journal
from headstart.study.tuning_spaces import NONE, Choice, Knob, Span
from headstart.study.tuning_trial import Bench, Reporter, folds
from headstart.workflows import assemble
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.request import config_of
from headstart.workflows.sets import cut_sets

KNOBS = [
    Knob("training.lr", Span(0.1, 10.0, log=True), 1.0, share=True),
    Knob("training.optimizer", Choice(("adamw", "sgd")), "adamw"),
    Knob("backbone.widths", Choice(((64, 32), (32,))), (64, 32)),
]
SHORT = {
    "data": {"path": "digits"},
    "labels": 60,
    "training": {"duration": "3 steps", "batch_size": 16},
    "backbone": {"name": "mlp", "widths": [32]},
}
TWO = TuneConfig(trials=2, folds=2)


@pytest.fixture
def no_page(monkeypatch):
    """Drawing takes longer than these searches."""
    monkeypatch.setattr("headstart.study.tuning_page.build", lambda *_: None)


class Death(BaseException):
    """What stops the work where it stands."""


def short(**more):
    return config_of(FinetuneConfig, {**SHORT, **more})


# ------------------------------------------------------------------ what varies


def test_trial_of_defaults_changes_nothing():
    values = {knob.name: knob.first for knob in KNOBS}
    assert spaces.changes(KNOBS, values, {"adamw": 1e-3, "sgd": 0.05}) == {}


def test_rate_is_a_share_of_the_usual_one_of_the_optimiser():
    values = {"training.lr": 2.0, "training.optimizer": "sgd", "backbone.widths": (32,)}
    changed = spaces.changes(KNOBS, values, {"adamw": 1e-3, "sgd": 0.05})
    assert changed == {
        "training": {"lr": 0.1, "optimizer": "sgd"}, "backbone": {"widths": [32]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name", "range_"),
    [
        ("training.weight_decay=1e-4..0.3", "training.weight_decay", Span(1e-4, 0.3, log=True)),
        ("backbone.dropout=0..0.5", "backbone.dropout", Span(0, 0.5)),
        ("backbone.depth=2..6", "backbone.depth", Span(2, 6, whole=True)),
        ("backbone.activation=relu,gelu", "backbone.activation", Choice(("relu", "gelu"))),
        ("backbone.widths=[16,8],[32]", "backbone.widths", Choice(((16, 8), (32,)))),
        ("training.ema=0,1e-1", "training.ema", Choice((0, 0.1))),
    ],
)
def test_ranges_of_ones_own_are_read(text, name, range_):
    assert spaces.parse(text) == (name, range_)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training.lr", "expected NAME=LOW..HIGH"),
        ("training.lr=a..b", "'a' is not a number"),
        ("training.lr=2..1", "2 is not below 1"),
        ("training.lr=1", "expected NAME=LOW..HIGH"),
    ],
)
def test_malformed_ranges_are_named(text, message):
    with pytest.raises(UserError, match=message):
        spaces.parse(text)


def test_own_range_of_no_setting_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="no such setting") as error:
        spaces.knobs({}, ["training.wieght_decay=0..1"], {"training": {"weight_decay": 0.01}}, [])
    assert "training.weight_decay" in error.value.hints[0]


def test_default_outside_a_range_is_never_taken_for_its_edge():
    (knob,) = spaces.knobs({}, ["training.ema=0.5..0.9"], {"training": {"ema": 0.0}}, [])
    assert knob.default is NONE
    assert spaces.changes([knob], {"training.ema": knob.first}, {}) == {"training": {"ema": 0.5}}


def test_every_usual_range_is_of_a_setting_that_exists():
    """A range of a renamed field would be passed over without a word."""
    from headstart import backbones, objectives, tasks

    for table, ranges in (
        (backbones.table, spaces.BACKBONE), (tasks.table, spaces.TASK),
        (objectives.table, spaces.OBJECTIVE),
    ):  # fmt: skip
        for name, fields in ranges.items():
            known = vars(table.load(name).Config)["__dataclass_fields__"]
            assert set(fields) <= set(known), name


# ------------------------------------------------------------------ how it is judged


def dataset_of(labels=60):
    rng = np.random.default_rng(0)
    samples = Samples(rng.random((200, 4)), np.arange(200) % 4)
    test = Samples(rng.random((50, 4)), np.arange(50) % 4)
    return Dataset("made up", "table", {"train": samples, "test": test})


def test_folds_are_cut_from_the_budget_and_disjoint():
    config = config_of(FinetuneConfig, {"labels": 60})
    held = []
    for one in folds(config, dataset_of(), 3, classes=True):
        assert set(one.splits) == {"train", "validation"}
        kept = {one.train.name(i) for i in np.flatnonzero(one.train.has_label)}
        judged = set(one.splits["validation"].names)
        assert (len(kept), len(judged)) == (40, 20)
        assert not kept & judged
        held += sorted(judged)
    assert len(held) == len(set(held)) == 60


def test_folds_are_of_the_labels_that_finetune_would_draw():
    dataset = dataset_of()
    rare = replace(dataset.train, targets=(np.arange(200) % 20 == 0).astype(int))
    dataset = dataset.with_splits({**dataset.splits, "train": rare})
    raw = {"labels": 60, "label_draw": "natural", "label_seed": 3, "validation_share": 0.0}
    config = config_of(FinetuneConfig, raw)
    drawn = cut_sets(config, dataset, classes=True)["train"]
    held = [one.splits["validation"] for one in folds(config, dataset, 2, classes=True)]
    assert sorted(n for one in held for n in one.names) == sorted(drawn.names)
    assert sum(int(one.targets.sum()) for one in held) == 3  # of 60, as frequent as it is


@pytest.mark.parametrize("classes", [True, False])
def test_folds_never_part_a_group(classes):
    dataset = dataset_of()
    speakers = np.arange(200) // 4 % 10
    dataset = dataset.with_splits(
        {**dataset.splits, "train": replace(dataset.train, groups=speakers)}
    )
    config = config_of(FinetuneConfig, {"labels": 60})
    for one in folds(config, dataset, 3, classes=classes):
        learned = set(one.train.groups[one.train.has_label])
        assert not learned & set(one.splits["validation"].groups)
    with pytest.raises(UserError, match="10 groups are too few for 11 folds"):
        folds(config, dataset, 11, classes=classes)


def test_too_few_labels_for_folds_are_refused():
    config = config_of(FinetuneConfig, {"labels": 4})
    with pytest.raises(UserError, match="too few to judge"):
        folds(config, dataset_of(), 3, classes=True)


def test_a_training_that_went_astray_is_a_trial_that_failed(tmp_path):
    (tmp_path / "progress.jsonl").write_text('{"step": 1, "validation": {"mse": null}}\n')
    with pytest.raises(UserError, match="went astray"):
        Bench([], "mse")._last(RunFolder(tmp_path))


def test_test_split_is_read_by_nothing(tmp_path, no_page):
    """A data set whose test split cannot be touched is searched all the same."""

    class Untouchable(Samples):
        def __len__(self):
            raise AssertionError("the test split was looked at")

        def take(self, index):
            raise AssertionError("the test split was looked at")

    whole = assemble.open_data(short().data)
    poisoned = {**whole.splits, "test": Untouchable(whole.splits["test"].inputs)}
    result = tune(
        short(), tmp_path / "t", replace(TWO, trials=1), dataset=replace(whole, splits=poisoned)
    )
    assert result["trials"]["complete"] == 1


# ------------------------------------------------------------------ nothing is lost or doubled


def test_killed_and_resumed_search_is_the_one_never_killed(tmp_path, monkeypatch, no_page):
    whole = tune(short(), tmp_path / "whole", TWO)
    validated = Reporter.on_validate
    calls = []

    def dies(self, learner, figures):
        calls.append(self.fold)
        if len(calls) in (3, 6):  # in the first trial's second fold, and in a later trial
            raise Death
        return validated(self, learner, figures)

    monkeypatch.setattr(Reporter, "on_validate", dies)
    deaths = 0
    while True:
        try:
            killed = tune(short(), tmp_path / "killed", TWO)
            break
        except Death:
            deaths += 1
    assert deaths == 2
    for name in ("default", "best", "best_trial", "changed", "trials"):
        assert killed[name] == whole[name], name
    assert _table(tmp_path / "killed") == _table(tmp_path / "whole")


def _table(out):
    rows = [line.split(",") for line in (out / "trials.csv").read_text().splitlines()]
    return [row[:3] + row[4:] for row in rows]  # without seconds


def test_dead_processes_trial_is_taken_up_and_a_live_ones_is_not(tmp_path):
    def journal():
        return Journal(tmp_path, KNOBS, seed=0, direction="maximize", prune=True)

    one, other = journal(), journal()
    with one.next(2) as mine:
        assert mine.number == 0
        with other.next(2) as another:
            assert another.number == 1
            with journal().next(2) as third:
                assert third is None  # two are running: neither is lost, nor is there room
    with journal().next(2) as taken:  # both were left without an answer
        assert taken.number == 0
        assert taken.params == mine.params
        other.tell(taken, 0.5)
    with journal().next(2) as taken:
        assert taken.number == 1
        other.tell(taken, 0.7)
    with journal().next(2) as none:
        assert none is None
    assert [t.value for t in journal().done()] == [0.5, 0.7]


def test_journal_survives_a_line_that_was_cut(tmp_path):
    def journal():
        return Journal(tmp_path, KNOBS, seed=0, direction="maximize", prune=True)

    one = journal()
    with one.next(5) as trial:
        one.tell(trial, 0.5)
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"op_code":4,"worker')
    again = journal()
    with again.next(5) as trial:
        again.tell(trial, 0.6)
    assert [t.value for t in journal().done()] == [0.5, 0.6]


def test_other_question_is_refused_with_what_differs(tmp_path, no_page):
    tune(short(), tmp_path / "t", TuneConfig(trials=1))
    with pytest.raises(UserError, match="asked something else") as error:
        tune(short(labels=80), tmp_path / "t", TWO)
    assert error.value.hints[0] == "- labels: 60 then, 80 now"
    again = tune(short(), tmp_path / "t", TuneConfig(trials=1))
    assert sum(again["trials"].values()) == 1


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="holds no search"):
        tune(short(), tmp_path, TWO)


def test_trials_may_begin_with_a_pre_training_whose_settings_vary_too(tmp_path, no_page):
    how = replace(TWO, objective="denoising", pretrain_steps=2)
    config = short(backbone={"name": "mlp"})
    result = tune(config, tmp_path / "t", how)
    assert result["trials"]["complete"] == 2
    header = (tmp_path / "t/trials.csv").read_text().splitlines()[0].split(",")
    assert {"objective.noise", "backbone.widths", "finetune.layer_decay"} <= set(header)
    start = read_yaml(tmp_path / "t/best-pretraining.yaml")
    assert start["objective"]["name"] == "denoising"
    assert start["training"]["duration"] == "2 steps"
    best = read_yaml(tmp_path / "t/best.yaml")
    assert (best["start"], best["backbone"]) == (str(tmp_path / "t/pretrained"), {})
    with pytest.raises(UserError, match="--from and --objective"):
        tune(replace(config, start="run"), tmp_path / "u", how)


# ------------------------------------------------------------------ the command


def test_command_leaves_settings_that_finetune_repeats(tmp_path, capsys):
    out, run = tmp_path / "t", tmp_path / "run"
    command = [
        "tune", "digits", "--labels", "60", "--steps", "3", "--backbone", "mlp", "--folds", "2",
        "--trials", "4", "--no-prune", "--out", str(out), "--quiet", "--json",
    ]  # fmt: skip
    assert main(command) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["trials"] == {"complete": 4, "pruned": 0, "fail": 0, "running": 0}
    assert result["best"] >= result["default"]
    page = (out / "report.html").read_text()
    assert "What mattered" in page
    assert "http" not in page.replace("http-equiv", "")
    assert main(["finetune", "--config", str(out / "best.yaml"), "--out", str(run),
                 "--no-report", "--quiet"]) == 0  # fmt: skip
    best, repeated = read_yaml(out / "best.yaml"), read_yaml(run / "config.yaml")
    leaves = dict(spaces.leaves(repeated))
    assert all(leaves[n] == value for n, value in spaces.leaves(best) if value != {})
    assert not list((out / "trials").iterdir())  # nothing of the trials' weights stays


def test_mistakes_cost_no_trial(tmp_path, capsys):
    assert main(["tune", "digits", "--labels", "60", "--optimizer", "adamm", "--steps", "3",
                 "--out", str(tmp_path / "t")]) == 2  # fmt: skip
    assert "adamm" in capsys.readouterr().err
    assert main(["tune", "digits", "--trials", "0", "--out", str(tmp_path / "u")]) == 2
    assert main(["tune", "digits", "--resume", "--out", str(tmp_path / "v")]) == 2
    assert "no search" in capsys.readouterr().err


def test_from_python(tmp_path, no_page):
    found = hs.tune(
        "digits", out=tmp_path / "t", labels=60, steps=3, trials=1, folds=1, backbone="mlp"
    )
    assert found.result["trials"]["complete"] == 1
    assert repr(found).endswith(f"accuracy={found.result['best']:.4f})")
    run = hs.finetune("digits", config=found.best, out=tmp_path / "run")
    assert (run.result["labels"], run.result["steps"]) == (60, 3)
    with pytest.raises(UserError, match="'trials' is 0: it must be at least 1"):
        hs.tune("digits", out=tmp_path / "u", trials=0)
    with pytest.raises(UserError, match="did you mean patience"):
        hs.tune("digits", out=tmp_path / "u", patienc=2)
    assert not (tmp_path / "u").exists()


@pytest.mark.slow
def test_processes_share_a_search_and_one_is_killed(tmp_path):
    out = tmp_path / "t"
    command = [
        sys.executable, "-m", "headstart", "tune", "digits", "--labels", "60", "--steps", "30",
        "--backbone", "mlp", "--trials", "8", "--no-prune", "--out", str(out), "--quiet", "--json",
    ]  # fmt: skip
    one, other = (
        subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) for _ in range(2)
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if len(list(out.glob("trials/*/fold-*"))) >= 3:
            break
        time.sleep(0.05)
    one.send_signal(signal.SIGKILL)
    one.communicate()
    other.communicate()
    again = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    result = json.loads(again.stdout)
    assert result["trials"] == {"complete": 8, "pruned": 0, "fail": 0, "running": 0}
