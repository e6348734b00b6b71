import os

import pytest

from headstart.data import memory
from headstart.training.devices import available_threads


def test_the_tightest_cgroup_counts_and_its_cached_files_do_not(tmp_path):
    own = tmp_path / "cgroup"
    own.write_text("0::/job/task\n")
    for name, limit, used, cached in (("job", "1000", "900", 300), ("job/task", "max", "100", 0)):
        folder = tmp_path / "fs" / name
        folder.mkdir(parents=True)
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n")
    assert memory._cgroups(tmp_path / "fs", own) == [400]
    own.write_text("5:cpu:/x\n4:memory:/old\n")
    folder = tmp_path / "fs" / "memory" / "old"
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text("500")
    (folder / "memory.usage_in_bytes").write_text("120")
    assert memory._cgroups(tmp_path / "fs", own) == [380]
    assert memory._cgroups(tmp_path / "fs", tmp_path / "absent") == []


def test_there_is_some_memory():
    assert 2**20 < memory.available() < 2**50


@pytest.mark.parametrize(
    ("quota", "processors"),
    [("100000 100000\n", 1), ("50000 100000\n", 1), ("max 100000\n", None), (None, None)],
)
def test_a_quota_of_processors_counts_for_reading_as_for_training(tmp_path, quota, processors):
    own = tmp_path / "cpu.max"
    if quota is not None:
        own.write_text(quota)
    assert memory.processors(own) == (processors or len(os.sched_getaffinity(0)))


def test_threads_are_as_many_as_processors_or_as_told(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert available_threads() == memory.processors()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert available_threads() == 1
