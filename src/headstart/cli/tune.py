"""`tune`: its flags, and the command."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from headstart import backbones, tasks
from headstart.cli.flags import add_component_flags, add_flags, chosen
from headstart.cli.output import print_json
from headstart.cli.train import config_from
from headstart.errors import UserError
from headstart.settings import merge
from headstart.settings.files import read_yaml
from headstart.study.tuning_config import ASKED, SEARCH, TuneConfig
from headstart.training.display import speaker
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.request import config_of


def add_tune_flags(parser: argparse.ArgumentParser) -> None:
    """What `headstart tune` can be told."""
    parser.add_argument("data", metavar="DATA", nargs="?", help="a folder, a file or a name")
    parser.add_argument(
        "--out", required=True, metavar="DIR",
        help="folder of the search; the same command again goes on with it, or shares it",
    )  # fmt: skip
    parser.add_argument(
        "--from", dest="start", metavar="RUN", help="pre-trained run; without it: from scratch"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with a search that is there, or refuse"
    )
    parser.add_argument(
        "--minutes", type=float, metavar="M", dest="for_minutes", help="begin no trial later"
    )
    add_flags(parser, TuneConfig)
    each = parser.add_argument_group("of every trial; what is given here is not varied")
    each.add_argument("--preset", metavar="NAME", help="settings that come with headstart")
    each.add_argument(
        "--config", metavar="FILE", help="settings from YAML; the asked.yaml of a search repeats it"
    )
    each.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="sets",
        help="any setting of config.yaml",
    )  # fmt: skip
    length = each.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=float, metavar="N", help="length of each training")
    length.add_argument("--steps", type=int, metavar="N", help="length of each training")
    each.add_argument("--task", metavar="NAME", help=", ".join(tasks.table))
    each.add_argument("--backbone", metavar="NAME", help=", ".join(backbones.table))
    add_component_flags(each)
    add_flags(each, FinetuneConfig)
    parser.set_defaults(run=tune, minutes=None)


def tune(options: Namespace) -> None:
    """`headstart tune`."""
    config = config_from(
        FinetuneConfig, options, task=options.task, start=options.start, beside=(SEARCH,)
    )
    asked = read_yaml(Path(options.config)).get(SEARCH, {}) if options.config else {}
    how = config_of(TuneConfig, merge(asked, chosen(options, TuneConfig)))
    from headstart.study.tuning import tune as work

    if options.resume and not (Path(options.out) / ASKED).exists():
        raise UserError(f"--resume: there is no search in {options.out} to go on with.")

    say = speaker(quiet=options.quiet)
    result = work(config, Path(options.out), how, minutes=options.for_minutes, say=say)
    if options.json:
        print_json(result)
        return
    from headstart.study.tuning_page import PAGE, verdict

    print(verdict(result))
    for name, value in result["changed"].items():
        print(f"  {name}: {value}")
    print(f"report: {Path(options.out) / PAGE}")
    for command in result["commands"]:
        say(f"next: {command}")
