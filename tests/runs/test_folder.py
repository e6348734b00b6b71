from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from headstart.errors import UserError
from headstart.runs.folder import RunFolder
from headstart.training import checkpoints


def create(path, *, resume=False, overwrite=False):
    return RunFolder.create(path, resume=resume, overwrite=overwrite)


def a_run(path):
    with create(path) as folder:
        folder.config.write_text("seed: 1\n")
        folder.model.write_text("weights")
        checkpoints.save(folder, 1, {"step": 1})
    return folder


def test_a_folder_that_holds_something_is_refused_and_untouched(tmp_path):
    (tmp_path / "thesis.txt").write_text("ten years of work")
    with pytest.raises(UserError, match="is not empty") as caught:
        create(tmp_path)
    assert "--resume" in str(caught.value)
    assert "--overwrite" in str(caught.value)
    with pytest.raises(UserError, match="replaces runs only"):
        create(tmp_path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_overwrite_empties_a_run(tmp_path):
    a_run(tmp_path)
    with create(tmp_path, overwrite=True) as folder:
        assert not folder.config.exists()
        assert not folder.model.exists()
        assert folder.checkpoint_files() == []


def test_resume_keeps_what_is_there(tmp_path):
    a_run(tmp_path)
    with create(tmp_path, resume=True) as folder:
        assert folder.config.exists()
        assert len(folder.checkpoint_files()) == 1


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        create(tmp_path / "file")


def test_a_released_folder_without_a_run_may_be_used_again(tmp_path):
    create(tmp_path / "run").release()
    (tmp_path / "run" / "checkpoints").rmdir()
    create(tmp_path / "run").release()


@pytest.mark.parametrize(
    ("files", "says"),
    [([], "no config.yaml"), (["config.yaml"], "not finished")],
)
def test_opening_what_is_no_finished_run_is_refused(tmp_path, files, says):
    for name in files:
        (tmp_path / name).write_text("")
    with pytest.raises(UserError, match=says):
        RunFolder.open(tmp_path)
    with pytest.raises(UserError, match="there is no run"):
        RunFolder.open(tmp_path / "gone")


TRY = """
import sys
from headstart.errors import UserError
from headstart.runs.folder import RunFolder
try:
    RunFolder.create(sys.argv[1], resume=True, overwrite=False).release()
    print("free")
except UserError as error:
    print(error.message)
"""
HOLD = """
import sys
from headstart.runs.folder import RunFolder
folder = RunFolder.create(sys.argv[1], resume=True, overwrite=False)
print("held", flush=True)
sys.stdin.read()
"""


def another_process(path):
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(path)], capture_output=True, text=True, timeout=60
    )
    return done.stdout.strip() or done.stderr


def test_one_process_at_a_time_writes_a_folder(tmp_path):
    with create(tmp_path / "run"):
        assert another_process(tmp_path / "run").startswith("another process is writing the run")
    assert another_process(tmp_path / "run") == "free"


def test_a_killed_process_leaves_no_lock_behind(tmp_path):
    path = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="another process"):
            create(path, resume=True)
        holder.kill()
    create(path, resume=True).release()


def test_releasing_leaves_the_lock_of_the_next_writer_in_place(tmp_path):
    first = create(tmp_path / "run")
    taken = []
    release = first._lock.release

    def release_and_lose_the_race():
        release()
        taken.append(create(tmp_path / "run", resume=True))

    first._lock.release = release_and_lose_the_race
    first.release()
    assert another_process(tmp_path / "run").startswith("another process is writing the run")
    taken[0].release()


def test_the_newest_two_checkpoints_are_kept_in_the_order_of_steps(tmp_path):
    with create(tmp_path / "run") as folder:
        for step in (9, 10, 100, 20):
            checkpoints.save(folder, step, {"step": step})
        assert [p.stem for p in folder.checkpoint_files()] == ["step-0000000100", "step-0000000020"]
        assert checkpoints.newest(folder) == {"step": 100}


def flip_last_byte(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 0x10
    path.write_bytes(content)


def test_a_damaged_checkpoint_gives_way_to_the_older_one(tmp_path):
    with create(tmp_path / "run") as folder:
        for step in (1, 2):
            checkpoints.save(folder, step, {"step": step, "w": torch.ones(3)})
        newest, older = folder.checkpoint_files()
        flip_last_byte(newest)
        assert checkpoints.newest(folder)["step"] == 1
        flip_last_byte(older)
        with pytest.raises(UserError, match="no checkpoint .* can be read") as caught:
            checkpoints.newest(folder)
        assert str(newest) in str(caught.value)
        assert str(older) in str(caught.value)


def test_no_checkpoint_is_no_error(tmp_path):
    with create(tmp_path / "run") as folder:
        assert checkpoints.newest(folder) is None


def test_progress_survives_a_line_cut_short_and_is_cut_back_on_resume(tmp_path):
    with create(tmp_path / "run") as folder:
        assert folder.read_progress() == []
        for step in (1, 2, 3):
            folder.append_progress({"step": step, "loss": float("nan")})
        with folder.progress.open("a") as file:
            file.write('{"step": 4, "lo')
        assert [r["step"] for r in folder.read_progress()] == [1, 2, 3]
        folder.truncate_progress(2)
        assert folder.read_progress() == [{"step": 1, "loss": None}, {"step": 2, "loss": None}]


def test_json_that_is_missing_or_broken_is_named(tmp_path):
    folder = RunFolder(tmp_path)
    with pytest.raises(UserError, match=r"has no result\.json"):
        folder.read_json(folder.result)
    folder.result.write_text("{")
    with pytest.raises(UserError, match=r"result\.json cannot be read"):
        folder.read_json(folder.result)
