"""The checks of CONTRIBUTING, run as tests so that one command does everything."""

import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports"],
        ["vulture"],
        ["deptry", "src"],
    ],
    ids=lambda command: "-".join(command[:2]),
)
def test_check_passes(command):
    done = subprocess.run(
        [SCRIPTS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_contributing_tells_the_layers_that_are_checked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    told = (ROOT / "CONTRIBUTING.md").read_text().split("```")[3]
    assert " ".join(told.split()) == " → ".join(re.sub("[()]", "", layer) for layer in layers)


def test_no_file_holds_two_ideas():
    long = {
        str(path): count
        for path in (ROOT / "src").rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 420
    }
    assert not long


def test_files_of_tests_have_names_of_their_own():
    """Two of one name cannot be collected together, which a run of either does not show."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("*.py"))
    assert not [name for name, count in names.items() if count > 1]
