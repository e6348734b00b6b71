"""`compare` and `recommend`: their flags, and the commands."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headstart import backbones, baselines, objectives, tasks
from headstart.cli.flags import add_flags, chosen
from headstart.cli.output import print_json, print_table
from headstart.errors import UserError
from headstart.settings import merge
from headstart.study.config import ALL, CompareConfig
from headstart.training.display import speaker
from headstart.workflows.config import DataConfig
from headstart.workflows.request import config_of, layered


def add_compare_flags(parser: argparse.ArgumentParser) -> None:
    """What `headstart compare` can be told."""
    parser.add_argument("data", metavar="DATA", nargs="?", help="a folder, a file or a name")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the comparison")
    parser.add_argument(
        "--labels", metavar="N,N,...", help="label budgets, or all (default: 10,100,1000)"
    )
    parser.add_argument(
        "--label-draw", choices=["equal", "natural"],
        help="as many labels of each class, or as frequent as classes are (default: equal)",
    )  # fmt: skip
    parser.add_argument("--seeds", type=int, metavar="N", help="draws of labels (default: 3)")
    parser.add_argument(
        "--objective", action="append", metavar="A,B,...",
        help=f"ways to pre-train: {', '.join(objectives.table)}",
    )  # fmt: skip
    parser.add_argument(
        "--from", dest="start", action="append", metavar="RUN",
        help="a finished pre-training run to compare as well; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--baselines", metavar="A,B,...",
        help=f"classical models: {', '.join(baselines.table)}, or none; by default those that suit",
    )  # fmt: skip
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, metavar="N", help="of every fine-tuning")
    length.add_argument(
        "--minutes", type=float, metavar="M",
        help="of every method in all; pre-training takes four fifths of it",
    )  # fmt: skip
    parser.add_argument("--pretrain-steps", type=int, metavar="N", help="of every pre-training")
    parser.add_argument("--pretrain-minutes", type=float, metavar="M", help="of every pre-training")
    parser.add_argument("--metric", metavar="NAME", help="a figure of result.json to compare by")
    parser.add_argument("--task", metavar="NAME", help=", ".join(tasks.table))
    parser.add_argument("--backbone", metavar="NAME", help=", ".join(backbones.table))
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N",
        help="processes that share the work (default: 1); the same command on another machine,"
        " with the same shared folder, joins",
    )  # fmt: skip
    parser.add_argument("--config", metavar="FILE", help="settings from YAML: a compare.yaml")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="sets",
        help="any setting, as --set finetune.training.ema=0.99 or"
        " --set pretrain.training.precision=bf16",
    )  # fmt: skip
    parser.add_argument("--device", metavar="NAME", help="default: auto")
    add_flags(parser, DataConfig)
    parser.set_defaults(run=compare)


def compare(options: Namespace) -> None:
    """`headstart compare`."""
    config = _config(options)
    from headstart.study.board import board_for
    from headstart.study.compare import compare as work
    from headstart.study.table import rows

    say = speaker(quiet=options.quiet)
    with board_for(quiet=options.quiet) as board:
        found = work(config, Path(options.out), workers=options.workers, board=board)
    if options.json:
        print_json(found)
        return
    print_table(rows(found))
    print()
    print(found["verdict"]["headline"])
    for sentence in found["verdict"]["sentences"]:
        print(sentence)
    print(found["terms"])
    print(f"report: {Path(options.out) / 'report.html'}")
    say(f"comparison: {options.out}")


def _config(options: Namespace) -> CompareConfig:
    flags: dict[str, Any] = {"data": chosen(options, DataConfig)}
    if options.data is not None:
        flags["data"]["path"] = options.data
    if options.labels is not None:
        flags["labels"] = [_count(part) for part in _parts([options.labels])]
    if options.label_draw is not None:
        flags["finetune"] = {"label_draw": options.label_draw}
    if options.objective:
        flags["objectives"] = _parts(options.objective)
    if options.start:
        flags["start"] = list(options.start)
    if options.baselines is not None:
        flags["baselines"] = [n for n in _parts([options.baselines]) if n != "none"]
    for name in ("task", "backbone"):
        if getattr(options, name) is not None:
            flags[name] = {"name": getattr(options, name)}
    for name in (
        "seeds",
        "metric",
        "device",
        "steps",
        "minutes",
        "pretrain_steps",
        "pretrain_minutes",
    ):
        if getattr(options, name) is not None:
            flags[name] = getattr(options, name)
    file = Path(options.config) if options.config else None
    raw = merge(layered(None, file, flags, options.sets))
    return config_of(CompareConfig, raw)


def _parts(given: Sequence[str]) -> list[str]:
    """`["a,b", "c"]` → a, b, c."""
    return [part.strip() for text in given for part in text.split(",") if part.strip()]


def _count(text: str) -> int | str:
    if text == ALL:
        return text
    try:
        return int(text.replace("_", ""))
    except ValueError:
        raise UserError(
            f"--labels {text}: expected numbers, as in --labels 10,100,1000 or 100,all."
        ) from None


def add_recommend_flags(parser: argparse.ArgumentParser) -> None:
    """What `headstart recommend` can be told."""
    parser.add_argument("data", metavar="DATA", help="a folder, a file or a name")
    parser.add_argument(
        "--minutes", type=float, default=2.0, metavar="M",
        help="how long objectives are tried, all together (default: 2)",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE", help="write settings for pretrain --config here")
    add_flags(parser, DataConfig)
    parser.set_defaults(run=recommend)


def recommend(options: Namespace) -> None:
    """`headstart recommend`."""
    from dataclasses import asdict

    from headstart.runs.atomic import write_text
    from headstart.settings.files import to_yaml
    from headstart.study.recommend import recommend as work

    if options.out is not None and not Path(options.out).parent.is_dir():
        raise UserError(f"--out {options.out}: there is no folder {Path(options.out).parent}.")
    data = config_of(DataConfig, {**chosen(options, DataConfig), "path": options.data})
    found = work(data, minutes=options.minutes, say=speaker(quiet=options.quiet))
    if options.out is not None:
        why = "".join(f"# {reason}\n" for reason in found.reasons)
        write_text(Path(options.out), why + to_yaml(found.config))
    if options.json:
        print_json(asdict(found))
        return
    for line in [*found.reasons, "", *found.commands]:
        print(line)
    if options.out is not None:
        print(f"\nsettings: headstart pretrain --config {options.out} --out runs/pretrained")
