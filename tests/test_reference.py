"""The reference of settings is what the dataclasses say, all of it, and so is its page."""

import json
import typing
from pathlib import Path

import pytest

from headstart import tasks
from headstart.cli import main
from headstart.cli.reference import COLUMNS, groups, page
from headstart.modalities.numeric import NumericConfig
from headstart.modalities.tabular import TableConfig
from headstart.settings import Settings

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"


def listed(capsys, *arguments):
    code = main(["list", "settings", *arguments])
    told = capsys.readouterr()
    assert code == 0, told.err
    return told.out


def test_the_page_has_not_drifted():
    assert PAGE.read_text("utf-8") == page(), "python -m headstart.cli.reference > docs/settings.md"


def test_a_component_is_told_from_its_dataclass(capsys):
    (rows,) = json.loads(listed(capsys, "simclr", "--json")).values()
    assert rows[0] == dict(
        zip(
            COLUMNS,
            (
                "objective.temperature", "number", "0.2", "above 0",
                "of the similarities; lower minds the nearest more",
            ),
            strict=True,
        )
    )  # fmt: skip
    assert [row["setting"] for row in rows[1:]] == ["objective.projector", "objective.memory"]
    assert rows[1]["type"] == "list: whole number"
    assert rows[1]["default"] == "256, 64"


def test_what_is_printed_names_each_setting_once(capsys):
    told = listed(capsys, "training")
    assert told.startswith("training\nsetting")
    assert sum(line.startswith("training.ema ") for line in told.splitlines()) == 1
    both = json.loads(listed(capsys, "causal", "--json"))  # an objective and a backbone
    assert set(both) == {"backbone causal", "objective causal"}
    assert {f"task {name}" for name in tasks.table} == set(
        json.loads(listed(capsys, "task", "--json"))
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["settings", "simclear"], "Did you mean simclr?"),
        (["objectives", "simclr"], "list settings simclr"),
    ],
)
def test_a_name_that_is_none_is_refused(capsys, arguments, says):
    assert main(["list", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_no_settings_are_left_out():
    def within(cls):
        hints = typing.get_type_hints(cls).values()
        inner = {hint for hint in hints if isinstance(hint, type) and issubclass(hint, Settings)}
        return {cls}.union(*map(within, inner)) if inner else {cls}

    def below(cls):
        return {cls}.union(*map(below, cls.__subclasses__())) if cls.__subclasses__() else {cls}

    told = set().union(*(within(cls) for _, _, cls in groups()))
    there = {cls for cls in below(Settings) if cls.__module__.startswith("headstart.")}
    assert there - told - {Settings, NumericConfig} == set()
    # Rows of numbers alone are set as tables are.
    assert set(vars(NumericConfig())) <= set(vars(TableConfig()))
