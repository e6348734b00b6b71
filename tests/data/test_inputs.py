"""What is to be answered for: targets are taken where a file tells them, and never asked for."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from headstart.data.inputs import open_inputs


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
