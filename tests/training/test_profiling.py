import gzip
import json
import time

import pytest
import torch

from headstart.runs.folder import RunFolder
from headstart.training import profiling
from headstart.training.profiling import Clock, Profile, shares_of
from headstart.training.watching import Validation
from samples import engine, objective


def test_inner_phases_are_counted_once(monkeypatch):
    times = iter([10.0, 12.0, 17.0, 18.0, 30.0, 31.0])
    monkeypatch.setattr(profiling.time, "perf_counter", lambda: next(times))
    clock = Clock(torch.device("cpu"))
    with clock.phase("logging"), clock.phase("validation"):  # 10 to 18, and 12 to 17 within
        pass
    with clock.phase("data"):
        pass
    assert clock.seconds == {"logging": 3.0, "validation": 5.0, "data": 1.0}
    assert shares_of(clock.seconds, 10.0) == pytest.approx(
        {"validation": 0.5, "logging": 0.3, "data": 0.1, "other": 0.1}
    )


def test_time_is_told_by_phase_and_some_steps_are_traced(tmp_path, monkeypatch):
    monkeypatch.setattr(profiling, "WARM", 2)
    monkeypatch.setattr(profiling, "TRACED", 3)

    class Slow(type(objective())):
        def forward(self, batch, *, player, progress):
            time.sleep(0.02)
            return super().forward(batch, player=player, progress=progress)

    learner = objective()
    learner.__class__ = Slow
    with RunFolder.create(tmp_path / "run", resume=False, overwrite=False) as folder:
        made = engine(
            learner, 30, folder=folder, watchers=[Profile()],
            validation=Validation(lambda: {"loss": 1.0}, "loss", "min"),
        )  # fmt: skip
        made.fit()
    shares = made.summary()["profile"]
    assert {"data", "augmentation", "forward", "backward", "optimiser", "logging"} <= set(shares)
    assert {"validation", "checkpoint", "other"} <= set(shares)
    assert sum(shares.values()) == pytest.approx(1)
    assert next(iter(shares)) == "forward"
    table = (tmp_path / "run" / "profile" / "table.txt").read_text()
    assert table.splitlines()[1].startswith("forward")
    assert "aten::" in table
    with gzip.open(tmp_path / "run" / "profile" / "trace.json.gz") as file:
        named = [event.get("name") for event in json.load(file)["traceEvents"]]
    assert named.count("headstart: forward") >= 3


def test_nobody_profiles_unless_asked():
    made = engine(objective(), 2)
    made.fit()
    assert made.clock is None
    assert "profile" not in made.summary()
