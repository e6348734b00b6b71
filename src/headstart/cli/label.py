"""`label`: its flags, and the command."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from headstart.cli.ask import writable
from headstart.cli.flags import add_flags, chosen
from headstart.cli.output import print_json, speaker
from headstart.errors import UserError
from headstart.study.labelling import table
from headstart.workflows.config import DataConfig
from headstart.workflows.request import config_of


def add_label_flags(parser: argparse.ArgumentParser) -> None:
    """What `headstart label` can be told."""
    parser.add_argument("path", metavar="RUN", help="pre-trained or fine-tuned run")
    parser.add_argument("data", metavar="DATA", help="a folder, a file or a name")
    parser.add_argument("--out", required=True, metavar="FILE", help="the CSV file to write")
    parser.add_argument("--count", type=int, metavar="N", help="samples to choose")
    parser.add_argument(
        "--rule", default="auto", metavar="NAME",
        help=f"auto, or one of {', '.join(table)} (default: covering; of a model: margin)",
    )  # fmt: skip
    parser.add_argument(
        "--known", metavar="FILE", help="labels file of the samples that are labelled already"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.add_argument("--device", default="auto", metavar="NAME", help="default: auto")
    add_flags(parser, DataConfig)
    parser.set_defaults(run=label)


def label(options: Namespace) -> None:
    """`headstart label`."""
    out = writable(options.out)
    if out.exists():
        raise UserError(f"--out {out} exists: labels may be in it.", "Name another file.")
    if options.count is None:
        raise UserError("say how many samples to choose: --count N.")
    from headstart.study.labelling.choose import choose_labels, write_list
    from headstart.workflows.loaded import load_run

    say = speaker(quiet=options.quiet)
    data = config_of(DataConfig, {**chosen(options, DataConfig), "path": options.data})
    known = Path(options.known) if options.known else None
    names = choose_labels(
        load_run(options.path, options.device), data, options.count,
        rule=options.rule, known=known, seed=options.seed, say=say,
    )  # fmt: skip
    write_list(out, names)
    if options.json:
        print_json({"out": str(out), "n": len(names), "names": names})
        return
    print(f"{len(names):,} samples to label: {out}")
    say(
        f"next: fill in its column 'label', then headstart finetune {options.data}"
        f" --from {options.path} --labels-from {out} --out MODEL"
    )
