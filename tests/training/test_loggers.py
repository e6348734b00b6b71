"""Figures reach TensorBoard's files for real; the others are called as their pages say."""

import builtins
import json
import sys
import types

import pytest

from headstart.errors import UserError
from headstart.runs.atomic import write_text
from headstart.runs.folder import RunFolder
from headstart.training.loggers.base import flat, make
from samples import engine, objective


@pytest.fixture
def folder(tmp_path):
    with RunFolder.create(tmp_path / "run", resume=False, overwrite=False) as made:
        write_text(made.config, "training: {lr: 0.001}\n")
        yield made


def lines(folder):
    return [json.loads(line) for line in folder.progress.read_text().splitlines()]


def test_tensorboard_holds_what_progress_holds(folder):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    engine(objective(), 12, folder=folder, watchers=make(["tensorboard"])).fit()
    events = reader.EventAccumulator(str(folder.path / "tensorboard")).Reload()
    logged = [(e.step, e.value) for e in events.Scalars("train/loss")]
    expected = [(line["step"], line["train"]["loss"]) for line in lines(folder)]
    assert [step for step, _ in logged] == [step for step, _ in expected]
    assert [v for _, v in logged] == pytest.approx([v for _, v in expected], rel=1e-6)
    assert "train/gradient_norm" in events.Tags()["scalars"]
    assert "lr_share" in events.Tags()["scalars"]


def fake_wandb(calls):
    class Run:
        id = "abc"

        def log(self, figures, step):
            calls.append(("log", step, figures))

        def finish(self):
            calls.append(("finish",))

    return types.SimpleNamespace(init=lambda **k: calls.append(("init", k)) or Run())


def fake_trackio(calls):
    def init(**named):
        print("* Trackio project initialized")  # as it does
        calls.append(("init", named))

    def log(metrics, step=None):
        assert "step" not in metrics, "the name is reserved"
        calls.append(("log", step, metrics))

    return types.SimpleNamespace(init=init, log=log, finish=lambda: calls.append(("finish",)))


def fake_mlflow(calls):
    class Client:
        def __init__(self, tracking_uri):
            calls.append(("init", {"tracking_uri": tracking_uri}))

        def get_experiment_by_name(self, name):
            return None

        def create_experiment(self, name, artifact_location):
            return "1"

        def create_run(self, experiment_id, run_name):
            return types.SimpleNamespace(info=types.SimpleNamespace(run_id="abc"))

        def log_param(self, run_id, key, value):
            assert (run_id, key, value) == ("abc", "training.lr", "0.001")

        def log_batch(self, run_id, metrics):
            calls.append(("log", metrics[0].step, {m.key: m.value for m in metrics}))

        def set_terminated(self, run_id):
            calls.append(("finish",))

    def metric(key, value, timestamp, step):
        return types.SimpleNamespace(key=key, value=value, step=step)

    return types.SimpleNamespace(MlflowClient=Client, entities=types.SimpleNamespace(Metric=metric))


@pytest.mark.parametrize("name", ["wandb", "trackio", "mlflow"])
def test_others_get_the_same_lines_by_their_documented_calls(folder, monkeypatch, name, capsys):
    calls = []
    monkeypatch.setitem(sys.modules, name, globals()[f"fake_{name}"](calls))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    engine(objective(), 12, folder=folder, watchers=make([name])).fit()
    assert capsys.readouterr().out == ""
    assert [call[0] for call in calls] == ["init", *["log"] * len(lines(folder)), "finish"]
    for call, line in zip(calls[1:-1], lines(folder), strict=True):
        assert call[1] == line["step"]
        assert call[2]["train/loss"] == line["train"]["loss"]


def test_trackio_holds_what_progress_holds(folder, monkeypatch, tmp_path):
    """For real, with its own SQLite file."""
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio")
    import sqlite3

    engine(objective(), 6, folder=folder, watchers=make(["trackio"])).fit()
    engine(objective(), 12, folder=folder, watchers=make(["trackio"])).fit(resume=True)
    with sqlite3.connect(tmp_path / "trackio" / "headstart.db") as database:
        rows = database.execute("select step, metrics from metrics order by id").fetchall()
    assert [step for step, _ in rows] == [line["step"] for line in lines(folder)]
    logged = [json.loads(metrics)["train/loss"] for _, metrics in rows]
    assert logged == [line["train"]["loss"] for line in lines(folder)]


def test_mlflow_holds_what_progress_holds(folder, monkeypatch):
    """For real, with the database in the run's folder."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    mlflow = pytest.importorskip("mlflow")
    engine(objective(), 12, folder=folder, watchers=make(["mlflow"])).fit()
    client = mlflow.MlflowClient(f"sqlite:///{folder.path / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("headstart").experiment_id])
    history = client.get_metric_history(run.info.run_id, "train/loss")
    expected = [(line["step"], line["train"]["loss"]) for line in lines(folder)]
    assert sorted((m.step, m.value) for m in history) == expected
    assert run.info.status == "FINISHED"


def test_a_resumed_run_goes_on_where_it_logged(folder, monkeypatch):
    calls = []
    monkeypatch.setitem(sys.modules, "wandb", fake_wandb(calls))
    engine(objective(), 6, folder=folder, watchers=make(["wandb"])).fit()
    engine(objective(), 12, folder=folder, watchers=make(["wandb"])).fit(resume=True)
    begun = [call[1] for call in calls if call[0] == "init"]
    assert [k["id"] for k in begun] == [None, "abc"]


def test_nested_figures_become_paths_and_only_numbers_go():
    record = {"step": 3, "epoch": 0.5, "train": {"loss": 1, "ok": True}, "health": {"a": {"b": 2}}}
    assert flat(record) == {"epoch": 0.5, "train/loss": 1.0, "health/a/b": 2.0}


def test_mistakes_are_sentences(monkeypatch):
    with pytest.raises(UserError, match="Did you mean tensorboard"):
        make(["tensorbord"])
    real = builtins.__import__

    def refuse(name, *rest):
        if name == "wandb":
            raise ImportError("No module named 'wandb'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UserError, match=r"headstart\[track\]"):
        make(["wandb"])
