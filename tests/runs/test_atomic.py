from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import UserError
from headstart.runs import atomic


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_crash_before_the_rename_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    atomic.write_text(path, "old")

    def crash(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_an_error_while_writing_leaves_the_old_file_and_says_so(tmp_path):
    path = tmp_path / "file.txt"
    atomic.write_text(path, "old")

    def full(temporary):
        temporary.write_text("ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="No space left on device") as caught:
        atomic.write_with(path, full)
    assert "untouched" in str(caught.value)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_the_new_content_is_synced_before_it_takes_the_name(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda f: (done.append("sync"), fsync(f))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append("rename"), replace(a, b))[1])
    atomic.write_text(tmp_path / "file.txt", "new")
    assert done[:2] == ["sync", "rename"]


def test_a_folder_that_is_gone_is_named(tmp_path):
    with pytest.raises(UserError, match="cannot write"):
        atomic.write_text(tmp_path / "gone" / "file.txt", "x")


def test_files_get_the_usual_permissions_not_those_of_temporary_files(tmp_path):
    (tmp_path / "usual").write_text("x")
    atomic.write_text(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_json_is_strict_json_whatever_the_numbers(value):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    text = json.dumps(atomic.finite(value))
    assert json.loads(text, parse_constant=refuse) == atomic.finite(value)


FULL_DISK = """
import resource, sys, torch
from pathlib import Path
from headstart.errors import UserError
from headstart.runs import state
path = Path(sys.argv[1])
state.save(path, {"w": torch.zeros(10)})
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    state.save(path, {"w": torch.ones(100_000)})
except UserError as error:
    print("told:", error.message)
assert torch.equal(state.load(path)["w"], torch.zeros(10))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits file sizes as Linux does")
def test_a_full_disk_is_the_users_to_mend_and_the_old_checkpoint_stays(tmp_path):
    path = tmp_path / "state.safetensors"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("told: cannot write")
    assert names(tmp_path) == ["state.safetensors"]
