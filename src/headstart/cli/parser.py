"""Commands and their flags. Importing this module, and `--help`, do not import torch."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import NoReturn

from headstart import __version__, backbones, objectives, tasks
from headstart.cli import ask, demo, deploy, look, train
from headstart.cli.flags import add_component_flags, add_flags
from headstart.cli.label import add_label_flags
from headstart.cli.study import add_compare_flags, add_recommend_flags
from headstart.cli.tune import add_tune_flags
from headstart.errors import UserError, nearest
from headstart.export import table as formats
from headstart.serve.config import ServeConfig
from headstart.workflows.config import AUTO, COLUMNS, DataConfig, FinetuneConfig, PretrainConfig

MODES = ("staged", "full", "frozen", "lora")
EXAMPLES = """examples:
  headstart demo
  headstart inspect photos/
  headstart pretrain photos/ --out runs/pretrained --minutes 10
  headstart finetune photos/ --from runs/pretrained --labels-per-class 10 --out runs/model
  headstart predict runs/model new/ --out answers.csv
"""


class Parser(argparse.ArgumentParser):
    """Reports mistakes as headstart's other errors are reported."""

    def error(self, message: str) -> NoReturn:
        """Raises:
        UserError: always.
        """
        hints = [f"See: {self.prog} --help"]
        if message.startswith("unrecognized arguments: "):
            known = [flag for action in self._everything() for flag in action.option_strings]
            for word in message.removeprefix("unrecognized arguments: ").split():
                guess = nearest(word.split("=")[0], known) if word.startswith("-") else None
                if guess:
                    hints.insert(0, f"{word}: did you mean {guess}?")
        raise UserError(f"{message}.", *hints)

    def _everything(self) -> list[argparse.Action]:
        """The flags of this parser and of its commands."""
        found = list(self._actions)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found += [inner for sub in action.choices.values() for inner in sub._actions]
        return found


def build_parser() -> Parser:
    """The whole command line."""
    parser = Parser(
        prog="headstart",
        description="Pre-train on all your data, fine-tune on the few labels you own, and see"
        " whether it paid.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"headstart {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, sentence: str) -> Parser:
        made: Parser = commands.add_parser(
            name, help=sentence, description=sentence, allow_abbrev=False
        )
        made.add_argument("--json", action="store_true", help="the result as JSON on stdout")
        made.add_argument("--quiet", action="store_true", help="no progress, no messages")
        return made

    _demo(command("demo", "the main job on bundled data, in a minute or two"))
    _inspect(command("inspect", "what is in a data set, and what is wrong with it"))
    _pretrain(command("pretrain", "learn from all samples, labelled or not"))
    _finetune(command("finetune", "learn from the labels you own"))
    add_tune_flags(command("tune", "search for better settings than the defaults"))
    add_label_flags(command("label", "which samples to label first"))
    _evaluate(command("evaluate", "figures of a run on labelled data"))
    _predict(command("predict", "what a run says of new samples, as CSV"))
    _embed(command("embed", "the encoder's features of samples, as .npz, .npy or .csv"))
    _generate(command("generate", "texts that a causal language model writes"))
    _export(command("export", "a run in a form that others run: ONNX, PyTorch, ..."))
    _card(command("card", "write a model card, README.md, into a run's folder"))
    _serve(command("serve", "a run as a service on HTTP, with a page to try it"))
    add_compare_flags(command("compare", "whether pre-training pays on your data, measured"))
    add_recommend_flags(command("recommend", "what to begin with on your data, and why"))
    _report(command("report", "write the report.html of a run, a comparison or a search again"))
    _list(command("list", "what there is to choose from"))
    return parser


def _demo(parser: Parser) -> None:
    parser.add_argument("--out", default="runs/demo", metavar="DIR", help="default: runs/demo")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--draws", type=int, default=3, metavar="N", help="draws of labels to average (default: 3)"
    )
    parser.set_defaults(run=demo.demo)


def _inspect(parser: Parser) -> None:
    parser.add_argument("data", metavar="DATA", help="a folder, a file or a name")
    add_flags(parser, DataConfig)
    parser.set_defaults(run=look.inspect)


def _pretrain(parser: Parser) -> None:
    _common(parser, PretrainConfig)
    _named(parser, "--objective", [*objectives.table, AUTO])
    parser.set_defaults(run=train.pretrain)


def _finetune(parser: Parser) -> None:
    _common(parser, FinetuneConfig)
    parser.add_argument(
        "--from", dest="start", metavar="RUN", help="pre-trained run; without it: from scratch"
    )
    _named(parser, "--task", tasks.table)
    parser.add_argument(
        "--mode",
        choices=MODES,
        help="frozen: a linear probe; full: all at once; staged: the head first, then all;"
        " lora: narrow matrices beside the encoder's weights",
    )
    parser.set_defaults(run=train.finetune)


def _common(parser: Parser, config: type[PretrainConfig | FinetuneConfig]) -> None:
    parser.add_argument("data", metavar="DATA", nargs="?", help="a folder, a file or a name")
    parser.add_argument("--out", required=True, metavar="RUN", help="folder of the new run")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    parser.add_argument("--overwrite", action="store_true", help="replace the run in --out")
    parser.add_argument("--preset", metavar="NAME", help="settings that come with headstart")
    parser.add_argument(
        "--config", metavar="FILE", help="settings from YAML, such as a run's config.yaml"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="sets",
        help="any setting of config.yaml, as --set training.ema=0.99",
    )  # fmt: skip
    parser.add_argument(
        "--report", action=argparse.BooleanOptionalAction, default=True,
        help="draw plots and report.html when done",
    )  # fmt: skip
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=float, metavar="N", help="length of the training")
    length.add_argument("--steps", type=int, metavar="N", help="length of the training")
    length.add_argument("--minutes", type=float, metavar="M", help="length of the training")
    _named(parser, "--backbone", [*backbones.table, *backbones.table.families])
    add_component_flags(parser)
    add_flags(parser, config)


def _named(parser: Parser, flag: str, table: Iterable[str]) -> None:
    parser.add_argument(flag, metavar="NAME", help=", ".join(table))


def _answering(parser: Parser, data: str) -> None:
    parser.add_argument("path", metavar="RUN", help="folder of a finished run")
    parser.add_argument("data", metavar=data, nargs="?" if data == "DATA" else None)
    parser.add_argument(
        "--split", metavar="NAME", help="default: test, else train, else validation"
    )
    parser.add_argument("--device", default="auto", metavar="NAME", help="default: auto")


def _evaluate(parser: Parser) -> None:
    _answering(parser, "DATA")
    _copies(parser)
    add_flags(parser, DataConfig)
    parser.set_defaults(run=ask.evaluate)


def _predict(parser: Parser) -> None:
    _answering(parser, "INPUT")
    _copies(parser)
    add_flags(parser, DataConfig, COLUMNS)
    _on_bad(parser)
    parser.add_argument("--out", required=True, metavar="FILE", help="the CSV file to write")
    parser.set_defaults(run=ask.predict)


def _embed(parser: Parser) -> None:
    _answering(parser, "INPUT")
    add_flags(parser, DataConfig, COLUMNS)
    _on_bad(parser)
    parser.add_argument("--out", required=True, metavar="FILE", help=".npz, .npy or .csv")
    parser.set_defaults(run=ask.embed)


def _copies(parser: Parser) -> None:
    parser.add_argument(
        "--tta", type=int, default=0, metavar="N",
        help="average answers over N weakly augmented copies of each sample and itself",
    )  # fmt: skip


def _generate(parser: Parser) -> None:
    parser.add_argument("path", metavar="RUN", help="a run of --objective causal")
    parser.add_argument("--prompt", default="", metavar="TEXT", help="what to go on from")
    numbers = (("count", 1, "texts to write"), ("tokens", 50, "of each text at most"))
    for name, default, sentence in (*numbers, ("seed", 0, "of every random choice")):
        parser.add_argument(
            f"--{name}", type=int, default=default, metavar="N",
            help=f"{sentence} (default: {default})",
        )  # fmt: skip
    parser.add_argument(
        "--temperature", type=float, default=0.8, metavar="X",
        help="lower is safer, 0 always the likeliest token (default: 0.8)",
    )  # fmt: skip
    parser.add_argument(
        "--top-p", type=float, default=0.95, metavar="X",
        help="draw from the fewest tokens that hold so much of the probability (default: 0.95)",
    )  # fmt: skip
    parser.add_argument("--device", default="auto", metavar="NAME", help="default: auto")
    parser.set_defaults(run=ask.generate)


def _on_bad(parser: Parser) -> None:
    parser.add_argument(
        "--on-bad", choices=("fail", "skip"), default="fail", help="samples that are damaged"
    )


def _export(parser: Parser) -> None:
    parser.add_argument("path", metavar="RUN", help="folder of a finished run")
    parser.add_argument("--out", required=True, metavar="FILE", help="the file or folder to write")
    parser.add_argument(
        "--format", metavar="NAME", help=f"{', '.join(formats)}; by default as --out ends"
    )
    parser.add_argument(
        "--quantize", choices=("int8",), help="8-bit whole numbers (ONNX); what it costs is shown"
    )
    parser.add_argument("--data", metavar="DATA", help="to check by; default: the run's")
    parser.add_argument(
        "--samples", type=int, default=256, metavar="N", help="to check by (default: 256)"
    )
    parser.add_argument(
        "--tolerance", type=float, default=1e-4, metavar="X",
        help="largest difference from the run, relative where above 1 (default: 0.0001)",
    )  # fmt: skip
    parser.set_defaults(run=deploy.export)


def _card(parser: Parser) -> None:
    parser.add_argument("path", metavar="RUN", help="folder of a finished run")
    parser.set_defaults(run=look.card)


def _serve(parser: Parser) -> None:
    parser.add_argument("path", metavar="RUN", help="folder of a finished run")
    parser.add_argument("--device", default="auto", metavar="NAME", help="default: auto")
    add_flags(parser, ServeConfig)
    parser.set_defaults(run=deploy.serve)


def _report(parser: Parser) -> None:
    parser.add_argument("path", metavar="RUN", help="folder of a run, a comparison or a search")
    parser.add_argument("--device", default="auto", metavar="NAME", help="default: auto")
    parser.set_defaults(run=look.report)


def _list(parser: Parser) -> None:
    parser.add_argument("what", metavar="WHAT", choices=look.LISTS, help=" | ".join(look.LISTS))
    parser.add_argument(
        "component", metavar="NAME", nargs="?",
        help="of settings, only those of training, data, simclr, vit, ...",
    )  # fmt: skip
    parser.set_defaults(run=look.list_)
