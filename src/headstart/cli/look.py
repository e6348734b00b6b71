"""`inspect`, `report` and `list`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from headstart.cli.flags import chosen
from headstart.cli.output import print_json, print_table
from headstart.errors import UserError
from headstart.training.display import speaker

LISTS = (
    "objectives",
    "backbones",
    "tasks",
    "modalities",
    "datasets",
    "formats",
    "presets",
    "loggers",
    "settings",
)


def inspect(options: Namespace) -> None:
    """`headstart inspect`."""
    from headstart.data import audit
    from headstart.workflows.assemble import open_source
    from headstart.workflows.config import DataConfig
    from headstart.workflows.request import config_of

    config = config_of(DataConfig, {**chosen(options, DataConfig), "path": options.data})
    found = audit.audit(open_source(config), say=speaker(quiet=options.quiet))
    if options.json:
        print_json(found)
    else:
        print(audit.text(found))


def report(options: Namespace) -> None:
    """`headstart report`."""
    page = _page(Path(options.path), options.device)
    if options.json:
        print_json({"report": str(page)})
    else:
        print(page)


def _page(folder: Path, device: str) -> Path:
    """The page of a run, a comparison or a search, written again."""
    from headstart.study import comparison_page, tuning_page
    from headstart.study.labelling import folder as labels

    if comparison_page.is_comparison(folder):
        from headstart.study import compare

        return compare.report(folder)
    if tuning_page.is_search(folder):
        from headstart.study import tuning

        return tuning.report(folder)
    if labels.is_labelling(folder):
        raise UserError(
            f"{folder} holds labels; its models are runs of their own.",
            *[f"headstart report {run}" for run in labels.models(folder)]
            or ["None was fine-tuned yet: Enter does it on the page of headstart label."],
        )
    from headstart.report import build

    return build(folder, device=device)


def card(options: Namespace) -> None:
    """`headstart card`."""
    from headstart.report.card import write_card

    written = write_card(options.path)
    if options.json:
        print_json({"card": str(written)})
    else:
        print(written)


def list_(options: Namespace) -> None:
    """`headstart list`."""
    from headstart.cli import reference

    reference.check_alone(options.what, options.component)
    if options.what == "settings":
        _list_settings(reference.settings_of(options.component), as_json=options.json)
        return
    rows = _rows(options.what)
    if options.json:
        print_json(dict(rows))
    else:
        print_table([[options.what, ""], *[[name, rows[name]] for name in rows]], numbers_from=2)


def _list_settings(groups: Mapping[str, list[dict[str, str]]], *, as_json: bool) -> None:
    if as_json:
        print_json(groups)
        return
    for number, (name, rows) in enumerate(groups.items()):
        print(f"\n{name}" if number else name)
        if rows:
            print_table([list(rows[0]), *[list(row.values()) for row in rows]], numbers_from=9)
        else:
            print("nothing to set")


def _rows(what: str) -> Mapping[str, str]:
    from headstart import backbones, modalities, objectives, tasks
    from headstart.data.named_table import NAMED
    from headstart.export import table as formats
    from headstart.settings.files import preset_summaries
    from headstart.training import loggers
    from headstart.workflows.config import AUTO

    match what:
        case "objectives":
            return {**objectives.table, AUTO: "the best of a short try of several, in the budget"}
        case "backbones":
            return {**backbones.table, **backbones.table.families}
        case "tasks":
            return tasks.table
        case "modalities":
            return modalities.table
        case "datasets":
            return NAMED
        case "formats":
            return formats
        case "presets":
            return preset_summaries()
        case "loggers":
            return loggers.table
    raise UserError(f"nothing is listed under '{what}'.")
