from headstart.data import memory


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
