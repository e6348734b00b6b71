"""`export`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from headstart.cli.output import print_json, print_table, speaker
from headstart.errors import UserError


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


def _figures(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    figures: dict[str, dict[str, float]] = found.get("figures", {})
    return figures
