"""`export` and `serve`: what leaves the folder of a run."""

from __future__ import annotations

import os
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from headstart.cli.flags import chosen
from headstart.cli.output import print_json, print_table
from headstart.errors import UserError
from headstart.serve.config import ServeConfig
from headstart.training.display import speaker
from headstart.workflows.request import config_of

TOKEN = "HEADSTART_TOKEN"  # the environment: other users of a machine see commands


def export(options: Namespace) -> None:
    """`headstart export`."""
    from headstart.export.write import Request
    from headstart.export.write import export as work
    from headstart.workflows.loaded import load_run

    if options.samples < 1:
        raise UserError(f"--samples must be at least 1, not {options.samples}.")
    request = Request(
        Path(options.out),
        format=options.format,
        data=options.data,
        samples=options.samples,
        tolerance=options.tolerance,
        quantize=options.quantize,
    )
    found = work(load_run(options.path, "cpu"), request, speaker(quiet=options.quiet))
    if options.json:
        print_json(found)
        return
    for file in found["files"]:
        print(file)
    if "quantized" in found:
        print(found["quantized"])
    rows = [["figure", "before", "after"]]
    rows += [[n, f"{v['before']:.4f}", f"{v['after']:.4f}"] for n, v in _figures(found).items()]
    if len(rows) > 1:
        print_table(rows)
    count = found.get("judged", found["samples"])
    print_table(
        [
            ["output", f"largest difference from the run, {count:,} real samples"],
            *[[name, f"{value:.2g}"] for name, value in found["difference"].items()],
        ]
    )


def serve(options: Namespace) -> None:
    """`headstart serve`."""
    given = chosen(options, ServeConfig)
    if "token" not in given and os.environ.get(TOKEN):
        given["token"] = os.environ[TOKEN]
    config = config_of(ServeConfig, given)
    config.check()
    missing = [name for name in ("fastapi", "uvicorn", "python_multipart") if not find_spec(name)]
    if missing:
        raise UserError(
            f"serve needs {', '.join(missing)}, which is not installed.",
            "pip install 'headstart[serve]'",
        )
    from headstart.serve.run import serve as work
    from headstart.workflows.loaded import load_run

    work(load_run(options.path, options.device), config, speaker(quiet=options.quiet))


def _figures(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    figures: dict[str, dict[str, float]] = found.get("figures", {})
    return figures
