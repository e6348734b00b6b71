"""The tutorials' commands and programs run as they stand, for two steps each."""

import re
import shlex
from pathlib import Path

import pytest

from headstart.cli import main

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"
BLOCK = re.compile(r"^```(\w+)( skip)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LENGTH = re.compile(r" --(?:epochs|minutes) \S+")


def blocks(name):
    """Language and text of each block that is to be run."""
    found = BLOCK.findall((TUTORIALS / f"{name}.md").read_text())
    return [(language, text) for language, skipped, text in found if not skipped]


def run(command):
    """A line of a shell: of headstart's own commands."""
    words = shlex.split(LENGTH.sub("", command))
    assert words[0] == "headstart", command
    short = (
        ["--steps", "2", "--batch-size", "16", "--no-report"]
        if words[1] in ("pretrain", "finetune")
        else []
    )
    assert main([*words[1:], *short, "--quiet"]) == 0, command


LONG = ("audio", "series", "tables", "texts")  # pytest -m slow
NAMES = [
    pytest.param(path.stem, marks=[pytest.mark.slow] if path.stem in LONG else [])
    for path in sorted(TUTORIALS.glob("*.md"))
]


@pytest.mark.parametrize("name", NAMES)
def test_a_tutorial_runs(name, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    if name == "audio":
        recordings = request.getfixturevalue("shared_data") / "spoken-digits"
        (tmp_path / "recordings").mkdir()
        for path in sorted(recordings.glob("*_[056].wav")):
            (tmp_path / "recordings" / path.name).symlink_to(path)
    names = {"print": lambda *_: None}
    for language, text in blocks(name):
        if language == "sh":
            for command in text.strip().splitlines():
                run(command)
        elif language == "python":
            exec(compile(re.sub(r"steps=\d+", "steps=2", text), name, "exec"), names)


def test_every_kind_of_data_has_one():
    from headstart import modalities

    titles = {"image": "images", "text": "texts", "table": "tables"}
    for kind in modalities.table:
        assert (TUTORIALS / f"{titles.get(kind, kind)}.md").exists()
