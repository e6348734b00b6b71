"""`compare`, put together: what was asked is written down, done, gathered and judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from headstart.errors import InterruptedRunError, UserError
from headstart.runs.atomic import write_json, write_text
from headstart.settings import as_plain
from headstart.settings.files import read_yaml, to_yaml
from headstart.study import comparison_page, results, work
from headstart.study import plan as planning
from headstart.study.cells import Worker
from headstart.study.comparison_page import ASKED, FOUND
from headstart.study.config import FREE, CompareConfig, check
from headstart.study.plan import Plan
from headstart.study.verdict import verdict
from headstart.study.work import Board
from headstart.training import devices
from headstart.workflows import assemble
from headstart.workflows.request import config_of


class InterruptedComparisonError(InterruptedRunError):
    """A signal came; what was done is kept."""

    def __init__(self, exit_code: int, folder: Path) -> None:
        Exception.__init__(
            self, f"interrupted; everything is saved. The same command goes on with {folder}"
        )
        self.exit_code = exit_code


def compare(
    config: CompareConfig, folder: Path, *, workers: int = 1, board: Board | None = None
) -> dict[str, Any]:
    """Do what is not done yet, and say what all of it says; returns what `comparison.json` holds.

    workers: processes that share the work; others may join from other machines.

    Raises:
        UserError: settings or data are wrong, or `folder` holds another comparison.
        InterruptedRunError: a signal came; the same command goes on.
    """
    if workers < 1:
        raise UserError(f"--workers must be at least 1, not {workers}.")
    check(config)
    config, made = prepared(config, folder)
    _write(config, folder)
    board = board or work.Silent()
    try:
        if workers == 1:
            work.work(made, Worker(made, display=board), board)
        else:
            work.together(made, workers, board, plan_in, devices.available_threads())
    except InterruptedRunError as error:
        raise InterruptedComparisonError(error.exit_code, folder) from None
    return _gathered(made)


def report(folder: Path) -> Path:
    """Gather what is there, of an unfinished comparison too, and write its page; returns its path.

    Where the data cannot be read any more, the page shows what was gathered before.

    Raises:
        UserError: `folder` is no comparison, or nothing is known of it.
    """
    config = asked_in(folder)
    try:
        _gathered(prepared(config, folder)[1])
    except UserError:
        if not (folder / FOUND).exists():
            raise
    return comparison_page.build(folder)


def _gathered(made: Plan) -> dict[str, Any]:
    """Everything the finished cells say, written down with its page."""
    found = results.gather(made)
    found["verdict"] = verdict(found)
    write_json(made.folder / FOUND, found)
    comparison_page.build(made.folder)
    return found


def prepared(config: CompareConfig, folder: Path) -> tuple[CompareConfig, Plan]:
    """The settings, completed by what the data suggest, and the work they ask for."""
    dataset = assemble.open_data(config.data, config.pretrain.get("modality"))
    modality = planning.modality_of(config, dataset)
    if not config.objectives and not config.start:
        config = replace(config, objectives=(modality.cls.default_objective,))
    made = planning.make(config, folder, modality, dataset)
    planning.check_objectives(
        modality, assemble.fitted_modality(dataset, modality), config.objectives
    )
    return config, made


def plan_in(folder: Path) -> Plan:
    """The work of a comparison that was begun."""
    config = asked_in(folder)
    return prepared(config, folder)[1]


def asked_in(folder: Path) -> CompareConfig:
    """What a comparison was told.

    Raises:
        UserError: there is none in `folder`.
    """
    if not (folder / ASKED).exists():
        raise UserError(f"{folder} is no comparison: it has no {ASKED}.")
    return config_of(CompareConfig, read_yaml(folder / ASKED))


def _write(config: CompareConfig, folder: Path) -> None:
    """Write down what is asked; what changes the meaning of finished cells is refused."""
    plain = as_plain(config)
    if (folder / ASKED).exists():
        before = as_plain(asked_in(folder))
        changed = [k for k in plain if k not in FREE and plain[k] != before.get(k)]
        if changed:
            lines = [f"- {k}: {before.get(k)!r} then, {plain[k]!r} now" for k in changed]
            raise UserError(
                f"{folder} holds a comparison with other settings:",
                *lines,
                "Choose another --out, or repeat the first command; --labels, --seeds, --objective,"
                " --from and --baselines may change.",
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"--out {folder} is not empty and no comparison.", "Choose another --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write in {folder}: {error.strerror or error}.") from error
    write_text(folder / ASKED, to_yaml(plain))
