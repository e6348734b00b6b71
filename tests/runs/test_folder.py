from pathlib import Path

import pytest
import torch

from headstart.errors import UserError
from headstart.runs import atomic
from headstart.runs.folder import RunFolder
from headstart.training import checkpoints


def test_a_crash_in_writing_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    atomic.write_json(path, {"old": 1})

    def crash(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(UserError, match="No space left"):
        atomic.write_json(path, {"new": 2})
    assert path.read_text().count("old") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_used_folder_is_refused_unless_asked_for(tmp_path):
    with RunFolder.create(tmp_path / "r", resume=False, overwrite=False) as folder:
        atomic.write_text(folder.config, "seed: 1\n")
        with pytest.raises(UserError, match="another process"):
            RunFolder.create(tmp_path / "r", resume=True, overwrite=False)
    with pytest.raises(UserError, match="not empty"):
        RunFolder.create(tmp_path / "r", resume=False, overwrite=False)
    with RunFolder.create(tmp_path / "r", resume=False, overwrite=True) as folder:
        assert folder.config.read_text() == "seed: 1\n"  # until the new run begins
        folder.begin()
        assert sorted(p.name for p in folder.path.iterdir()) == [".lock", "checkpoints"]


def test_a_replacement_that_a_kill_cut_short_can_be_repeated(tmp_path, monkeypatch):
    with RunFolder.create(tmp_path / "r", resume=False, overwrite=False) as folder:
        for path in (folder.config, folder.model, folder.result):
            atomic.write_text(path, "seed: 1\n")
        atomic.write_text(folder.checkpoints / "step-1.safetensors", "")
    removed, unlink = [], Path.unlink

    def killed(self, missing_ok=False):
        removed.append(self.name)
        if len(removed) == 2:
            raise KeyboardInterrupt
        unlink(self, missing_ok=missing_ok)

    with (
        monkeypatch.context() as patch,
        RunFolder.create(tmp_path / "r", resume=False, overwrite=True) as folder,
    ):
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            folder.begin()
        patch.undo()
    assert folder.config.exists()
    with RunFolder.create(tmp_path / "r", resume=False, overwrite=True) as folder:
        folder.begin()
        assert not folder.config.exists()


def test_what_is_read_is_never_where_the_run_is_written(tmp_path, monkeypatch):
    (tmp_path / "r" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "r")
    (tmp_path / "beside").mkdir()
    folder = RunFolder(tmp_path / "r")
    folder.keep_apart("--from", None, str(tmp_path / "beside"), str(tmp_path), "digits")
    monkeypatch.chdir(tmp_path / "r")
    folder.keep_apart("DATA", "digits")
    for name, place in (
        ("r", "is"),
        ("link", "is"),
        ("r/inner", "lies in"),
        ("link/inner", "lies"),
    ):
        with pytest.raises(UserError, match=f"--from .*{place}"):
            folder.keep_apart("--from", str(tmp_path / name))


def test_overwrite_replaces_runs_only(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="not one"):
        RunFolder.create(tmp_path, resume=False, overwrite=True)
    assert (tmp_path / "thesis.txt").exists()


def test_checkpoints_round_trip_and_a_damaged_one_is_passed_over(tmp_path):
    with RunFolder.create(tmp_path / "r", resume=False, overwrite=False) as folder:
        trees = [{"w": torch.randn(3, 4), "n": {"step": i, "x": None, "f": 0.1}} for i in range(3)]
        for i, tree in enumerate(trees):
            checkpoints.save(folder, i, tree)
        files = folder.checkpoint_files()
        assert len(files) == 2
        found = checkpoints.newest(folder)
        assert torch.equal(found["w"], trees[2]["w"])
        assert found["n"] == trees[2]["n"]
        content = bytearray(files[0].read_bytes())
        content[-2] ^= 0xFF
        files[0].write_bytes(content)
        assert torch.equal(checkpoints.newest(folder)["w"], trees[1]["w"])


def test_a_line_cut_short_is_left_out(tmp_path):
    with RunFolder.create(tmp_path / "r", resume=False, overwrite=False) as folder:
        for step in (1, 2, 3):
            folder.append_progress({"step": step})
        with folder.progress.open("a") as file:
            file.write('{"step": 4, "lo')
        assert [r["step"] for r in folder.read_progress()] == [1, 2, 3]
        folder.truncate_progress(2)
        assert [r["step"] for r in folder.read_progress()] == [1, 2]
