"""`pretrain` and `finetune`."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, TypeVar

from headstart import processes
from headstart.cli.flags import chosen
from headstart.cli.output import headline, print_json, print_table
from headstart.runs.folder import RunFolder
from headstart.study.commands import data_flags
from headstart.training.display import REPORT_SECONDS, progress_display, speaker
from headstart.workflows.config import FinetuneConfig, PretrainConfig
from headstart.workflows.request import OF_COMPONENTS, config_of, durations, layered, nest

if TYPE_CHECKING:
    from headstart.training.timed import Overhead

Config = TypeVar("Config", PretrainConfig, FinetuneConfig)


def pretrain(options: Namespace) -> None:
    """`headstart pretrain`."""
    config = config_from(PretrainConfig, options, objective=options.objective)
    with _begun(options) as (folder, heard):
        from headstart.workflows.pretrain import pretrain as work
        from headstart.workflows.twins import ARTICLE, mended_twin

        result = work(config, folder, resume=options.resume, overhead=_overhead(options), **heard)
        if options.preset == ARTICLE:
            heard["say"]("now its mended twin, for as long")
            result["mended"] = mended_twin(config, folder, **heard)
    if "mended" in result and not options.json:
        _compare(result)
    if "bakeoff" in result and not options.json and processes.is_first():
        from headstart.workflows.bakeoff import rows

        print_table(rows(result["bakeoff"]))
    read = " ".join([quote(config.data.path), *data_flags(config.data)])
    _finish(options, result, f"headstart finetune {read} --from {quote(options.out)} --out RUN")


def finetune(options: Namespace) -> None:
    """`headstart finetune`."""
    config = config_from(
        FinetuneConfig, options, task=options.task, start=options.start, mode=options.mode
    )
    with _begun(options) as (folder, heard):
        from headstart.workflows.finetune import finetune as work

        result = work(config, folder, resume=options.resume, overhead=_overhead(options), **heard)
    _finish(options, result, f"headstart predict {quote(options.out)} INPUT --out answers.csv")


@contextmanager
def _begun(options: Namespace) -> Iterator[tuple[RunFolder, dict[str, Any]]]:
    """The run's folder, and what shows and says how it goes."""
    say = speaker(quiet=options.quiet)
    with (
        RunFolder.create(options.out, resume=options.resume, overwrite=options.overwrite) as folder,
        progress_display(quiet=options.quiet) as display,
    ):
        yield folder, {"display": display, "say": say}


def _overhead(options: Namespace) -> Overhead:
    """What of a run's time is not training: starting, and drawing the report."""
    from headstart.training.timed import Overhead

    # Both are mostly imports: on a machine that starts slowly, drawing is slow as well.
    started = time.monotonic() - options.begun
    return Overhead(options.begun, max(REPORT_SECONDS, started) if options.report else 0.0)


def config_from(
    cls: type[Config],
    options: Namespace,
    *,
    start: str | None = None,
    mode: str | None = None,
    beside: Sequence[str] = (),
    **named: str | None,
) -> Config:
    """The settings that preset, file, flags and --set give together.

    beside: parts of a file that are not of `cls`.
    """
    of_components = {name: getattr(options, name) for name in OF_COMPONENTS}
    given = {name: value for name, value in of_components.items() if value is not None}
    flags = nest(cls, {**chosen(options, cls), **given})
    for part, name in {**named, "backbone": options.backbone}.items():
        if name is not None:
            flags.setdefault(part, {})["name"] = name
    if options.data is not None:
        flags.setdefault("data", {})["path"] = options.data
    if mode is not None:
        flags["finetune"] = {"mode": mode}
    if start is not None:
        flags["start"] = start
    length = durations(options.epochs, options.steps, options.minutes)
    if length is not None:
        flags.setdefault("training", {})["duration"] = str(length)
    file = Path(options.config) if options.config else None
    raw = layered(options.preset, file, flags, options.sets)
    return config_of(cls, {name: part for name, part in raw.items() if name not in beside})


def _finish(options: Namespace, result: dict[str, Any], then: str) -> None:
    if not processes.is_first():
        return
    say = speaker(quiet=options.quiet)
    if options.report:
        from headstart.report import build
        from headstart.report.card import write_card

        say("drawing the report")
        page = build(options.out)
        write_card(options.out)
    if options.json:
        print_json(result)
        return
    for line in headline(result):
        print(line)
    if options.report:
        print(f"report: {page}")
    print(f"run: {options.out}")
    say(f"next: {then}")


def _compare(result: dict[str, Any]) -> None:
    """The article's network and its mended twin, side by side."""
    rows = [["network", "reconstruction loss", "loss of the mean picture", "verdict"]]
    for name, one in (("as in the article", result), ("mended", result["mended"])):
        health = one["health"]
        rows.append(
            [
                name,
                f"{health['reconstruction_loss']:.4f}",
                f"{health['trivial_loss']:.4f}",
                ", ".join(f["name"] for f in health["findings"]) or "healthy",
            ]
        )
    print_table(rows)
