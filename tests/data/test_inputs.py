"""What is to be answered for: targets are taken where a file tells them, and never asked for."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from headstart.data.inputs import open_inputs
from headstart.data.sources import open_dataset
from headstart.errors import UserError


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two recordings, and two columns either of which could be the target."""
    rows = [("a.wav", "one", "theo"), ("b.wav", "two", "lucas")]
    for name, _, _ in rows:
        soundfile.write(tmp_path / name, np.zeros(800), 8_000)
    path = tmp_path / "new.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file", "digit", "speaker"), *rows])
    return path


def test_targets_are_of_the_column_that_a_run_learned(manifest: Path) -> None:
    samples, kind = open_inputs(manifest, kind="audio", learned={"target": "speaker"})
    assert kind == "audio"
    assert samples.targets is not None
    assert samples.targets.tolist() == ["theo", "lucas"]


@pytest.mark.parametrize("learned", [{}, {"target": "word"}])
def test_a_file_that_leaves_the_target_open_is_read_without(
    manifest: Path, learned: dict[str, str]
) -> None:
    samples, _ = open_inputs(manifest, kind="audio", learned=learned)
    assert len(samples) == 2
    assert samples.targets is None


def test_a_usual_name_is_the_target_where_the_learned_one_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("text,label,from\ngood,yes,a\nbad,no,b\n", encoding="utf-8")
    learned = {"target": "mood", "text_column": "text"}
    samples, _ = open_inputs(path, kind="text", learned=learned)
    assert samples.targets is not None
    assert samples.targets.tolist() == ["yes", "no"]


def only_a_test_split(kind: str, root: Path) -> Path:
    """A source of each form whose samples are all of the test split."""
    if kind == "folder":
        (root / "test").mkdir()
        for name in "ab":
            soundfile.write(root / "test" / f"{name}.wav", np.zeros(800), 8_000)
        return root
    if kind == "npz":
        np.savez(root / "only.npz", x_test=np.zeros((2, 3)))
        return root / "only.npz"
    rows = {
        "manifest": "file,label,split\na.wav,x,test\nb.wav,y,test\n",
        "table": "size,label,split\n1,x,test\n2,y,test\n",
        "texts": "text,label,split\none,x,test\ntwo,y,test\n",
        "series": "t0,t1,label,split\n1,2,x,test\n3,4,y,test\n",
    }
    for name in "ab":
        soundfile.write(root / f"{name}.wav", np.zeros(800), 8_000)
    path = root / "only.csv"
    path.write_text(rows[kind], encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["folder", "npz", "manifest", "table", "texts", "series"])
def test_what_has_a_test_split_alone_can_be_asked_about_and_not_learned_from(
    tmp_path: Path, kind: str
) -> None:
    path = only_a_test_split(kind, tmp_path)
    columns = {"text_column": "text"} if kind == "texts" else {}
    as_kind = "series" if kind == "series" else "table"
    samples, _ = open_inputs(path, kind=as_kind, learned=columns)
    assert len(samples) == 2
    with pytest.raises(UserError, match="has samples of test only, none to train on"):
        open_dataset(str(path), kind="series" if kind == "series" else None, **columns)


def test_a_list_of_what_is_no_file_is_told_so() -> None:
    with pytest.raises(UserError, match="item 1 of the list is of type dict"):
        open_inputs(["a.png", {"size": 3}])  # type: ignore[list-item]


def test_answers_written_beside_recordings_change_nothing(manifest: Path) -> None:
    folder = manifest.parent
    before, _ = open_inputs(folder, kind="audio")
    manifest.rename(folder / "answers.csv")
    after, _ = open_inputs(folder, kind="audio")
    assert [after.name(i) for i in range(2)] == [str(folder / "a.wav"), str(folder / "b.wav")]
    assert [before.name(i) for i in range(2)] == [after.name(i) for i in range(2)]
