"""Commands that pages print are such as the command line takes."""

import argparse
import shlex
from pathlib import Path

from headstart.cli.flags import add_flags, chosen
from headstart.cli.parser import build_parser
from headstart.cli.study import _config
from headstart.study.commands import data_flags
from headstart.study.comparison_page import commands
from headstart.study.config import CompareConfig
from headstart.workflows.config import DataConfig
from headstart.workflows.request import config_of

SAID = {"path": "my data", "kind": "series", "target": "the class", "max_memory": "500MB"}


def test_whatever_was_said_of_the_data_is_said_again():
    data = config_of(DataConfig, SAID)
    parser = argparse.ArgumentParser()
    add_flags(parser, DataConfig)
    read = chosen(parser.parse_args(shlex.split(" ".join(data_flags(data)))), DataConfig)
    assert config_of(DataConfig, {**read, "path": "my data"}) == data


def test_what_has_no_flag_is_said_by_set():
    data = config_of(DataConfig, {"path": "x", "split_seed": 7, "layout": "channels-last"})
    assert data_flags(data) == ["--set data.layout=channels-last", "--set data.split_seed=7"]


def test_a_comparison_is_repeated_by_its_command():
    asked = {
        "data": SAID, "labels": [10, "all"], "objectives": ["vicreg"], "baselines": [],
        "metric": "macro_f1", "pretrain_steps": 2_000_000, "backbone": {"name": "tcn"},
    }  # fmt: skip
    config = config_of(CompareConfig, asked)
    printed = dict(commands(config, Path("my studies/one")))
    words = shlex.split(printed["the same by flags"])
    assert _config(build_parser().parse_args(words[1:])) == config
    again = shlex.split(printed["with the same settings, from the file"])
    assert "my studies/one/compare.yaml" in again
    assert "my studies/one/pretrained/vicreg" in shlex.split(printed["use what vicreg learned"])
