"""`label`: its flags, and the command."""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from headstart.cli.ask import writable
from headstart.cli.flags import add_flags, chosen
from headstart.cli.output import print_json
from headstart.errors import UserError
from headstart.study.commands import data_flags
from headstart.study.labelling import table
from headstart.training.display import speaker
from headstart.workflows.config import DataConfig
from headstart.workflows.request import config_of

PORT = 8765  # of the page, unless another is asked for


def add_label_flags(parser: argparse.ArgumentParser) -> None:
    """What `headstart label` can be told."""
    parser.add_argument("path", metavar="RUN", help="pre-trained or fine-tuned run")
    parser.add_argument("data", metavar="DATA", help="a folder, a file or a name")
    parser.add_argument(
        "--out", required=True, metavar="FILE",
        help="the CSV file to write; with --page the folder of the labelling",
    )  # fmt: skip
    parser.add_argument(
        "--count", type=int, metavar="N", help="samples to choose; with --page at a time (20)"
    )
    parser.add_argument(
        "--rule", default="auto", metavar="NAME",
        help=f"auto, or one of {', '.join(table)} (default: typical; of a model: margin)",
    )  # fmt: skip
    parser.add_argument(
        "--known", metavar="FILE", help="labels file of the samples that are labelled already"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.add_argument("--device", default="auto", metavar="NAME", help="default: auto")
    page = parser.add_argument_group("labelling on a page of this machine")
    page.add_argument("--page", action="store_true", help="label by keyboard in a browser")
    page.add_argument("--port", type=int, metavar="N", help=f"0 for any (default: {PORT})")
    page.add_argument("--classes", metavar="A,B,C", help="names to choose from; more can be added")
    page.add_argument("--steps", type=int, metavar="N", help="length of each fine-tuning")
    add_flags(parser, DataConfig)
    parser.set_defaults(run=label)


def label(options: Namespace) -> None:
    """`headstart label`."""
    if options.page:
        _serve(options)
    else:
        _list(options)


def _list(options: Namespace) -> None:
    given = [name for name in ("port", "classes", "steps") if getattr(options, name) is not None]
    if given:
        flags = ", ".join(f"--{name}" for name in given)
        raise UserError(f"only a page has {flags}.", "Add --page, or leave them out.")
    if options.count is None:
        raise UserError("say how many samples to choose: --count N.")
    from headstart.study.labelling.choose import choose_labels, vacant, write_list
    from headstart.workflows.loaded import load_run

    out = vacant(writable(options.out))
    say = speaker(quiet=options.quiet)
    data = config_of(DataConfig, {**chosen(options, DataConfig), "path": options.data})
    known = Path(options.known) if options.known else None
    names, read = choose_labels(
        load_run(options.path, options.device), data, options.count,
        rule=options.rule, known=known, seed=options.seed, say=say,
    )  # fmt: skip
    write_list(out, names)
    if options.json:
        print_json({"out": str(out), "n": len(names), "names": names})
        return
    print(f"{len(names):,} samples to label: {out}")
    joined = "" if known is None else f"add the rows of {known} to it, "
    flags = " ".join([quote(options.data), *data_flags(read)])
    say(
        f"next: fill in its column 'label', {joined}then headstart finetune {flags}"
        f" --from {quote(options.path)} --labels-from {quote(str(out))} --out MODEL"
    )


def _serve(options: Namespace) -> None:
    """Serve the page until Ctrl-C."""
    for flag in ("count", "steps"):
        value = getattr(options, flag)
        if value is not None and value < 1:
            raise UserError(f"--{flag} must be at least 1, not {value}.")
    if options.known is not None:
        raise UserError("--known goes with a list; a page keeps its own labels in --out.")
    from headstart.study.labelling.server import Server
    from headstart.study.labelling.session import BATCH, Plan, Session

    plan = Plan(
        options.path,
        config_of(DataConfig, {**chosen(options, DataConfig), "path": options.data}),
        tuple(name.strip() for name in (options.classes or "").split(",") if name.strip()),
        options.rule,
        options.count or BATCH,
        options.steps,
        options.seed,
        options.device,
    )
    port = PORT if options.port is None else options.port
    session = Session(Path(options.out), plan, say=speaker(quiet=options.quiet))
    with _alone(Path(options.out)), Server(session, port) as server:
        print(f"open {server.address} (Ctrl-C ends it; labels are saved as they are given)")
        sys.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            labels = len(session.notebook.labels)
            print(f"{labels:,} labels: {session.notebook.table}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Raises:
    UserError: another process labels in the folder: each would overwrite what the other was told.
    """
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise UserError(
            f"another headstart label --page works in {folder}.",
            "Open the address it printed, or choose another --out.",
        ) from None
