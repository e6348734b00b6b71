"""`evaluate`, `predict`, `embed` and `generate`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from headstart.cli.flags import chosen
from headstart.cli.output import print_json, print_table
from headstart.errors import UserError
from headstart.training.display import speaker
from headstart.workflows.config import COLUMNS, DataConfig
from headstart.workflows.request import config_of


def evaluate(options: Namespace) -> None:
    """`headstart evaluate`."""
    from headstart.workflows import answer
    from headstart.workflows.loaded import load_run

    run = load_run(options.path, options.device)
    path = options.data or answer.own_data(run).path
    data = config_of(DataConfig, {**chosen(options, DataConfig), "path": path})
    say = speaker(quiet=options.quiet)
    found = answer.evaluate(run, data, split=options.split, copies=options.tta, say=say)
    if "warning" in found:  # even of those who asked for quiet
        print(f"warning: {found['warning']}", file=sys.stderr, flush=True)
    if options.json:
        print_json(found)
        return
    plain = {k: v for k, v in found.items() if k not in ("confusion", "skipped", "warning")}
    print_table([["figure", "value"], *[[name, _shown(v)] for name, v in plain.items()]])


def predict(options: Namespace) -> None:
    """`headstart predict`."""
    from headstart.workflows import answer
    from headstart.workflows.loaded import load_run

    out = writable(options.out)
    run = load_run(options.path, options.device)
    found = answer.predict(
        run, options.data, split=options.split, on_bad=options.on_bad, copies=options.tta,
        columns=_columns(options),
    )  # fmt: skip
    answer.write_predictions(out, found)
    _done(options, found, out)


def embed(options: Namespace) -> None:
    """`headstart embed`."""
    from headstart.workflows import answer
    from headstart.workflows.loaded import load_run

    out = writable(options.out)
    answer.check_embedding_path(out)
    run = load_run(options.path, options.device)
    found = answer.embed(
        run, options.data, split=options.split, on_bad=options.on_bad, columns=_columns(options)
    )
    answer.write_embeddings(out, found)
    _done(options, found, out)


def _columns(options: Namespace) -> dict[str, str]:
    """How a table of new samples is read, as far as somebody said so."""
    return {name: value for name in COLUMNS if (value := getattr(options, name)) is not None}


def generate(options: Namespace) -> None:
    """`headstart generate`."""
    from headstart.workflows.generate import generate as work
    from headstart.workflows.loaded import load_run

    texts = work(
        load_run(options.path, options.device),
        options.prompt,
        count=options.count,
        tokens=options.tokens,
        temperature=options.temperature,
        top_p=options.top_p,
        seed=options.seed,
    )
    if options.json:
        print_json({"texts": texts})
    else:
        print("\n\n".join(texts))


def writable(out: str) -> Path:
    """The file to write, refused before the work rather than after it."""
    path = Path(out)
    if path.is_dir():
        raise UserError(f"--out {path} is a folder; name a file.")
    if not path.parent.is_dir():
        raise UserError(f"--out {path}: there is no folder {path.parent}.")
    return path


def _done(options: Namespace, found: Any, out: Path) -> None:
    if options.json:
        print_json({"out": str(out), "n": len(found.names), "skipped": found.skipped})
        return
    print(f"{len(found.names):,} sample{'s' if len(found.names) != 1 else ''}: {out}")
    if found.skipped:
        print(f"{len(found.skipped):,} could not be read: {', '.join(found.skipped[:5])} ...")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list):
        return " to ".join(_shown(part) for part in value)
    return f"{value:,}" if isinstance(value, int) else str(value)
