"""Which settings a search may vary, and how far: declared here once, by what they belong to.

A setting that the user gave is never varied. A value that is the default is left out of a trial's
settings, so that a trial of defaults alone is exactly the run that nobody tuned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headstart.errors import UserError, nearest
from headstart.settings import set_path
from headstart.settings.files import parse_value

RATE = "training.lr"
NONE = object()  # the default of a setting whose range does not hold it


@dataclass(frozen=True)
class Choice:
    """One of several values, plain or lists."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Span:
    """A number between two bounds. log: by ratios; whole: integers only."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


Range = Choice | Span


@dataclass(frozen=True)
class Knob:
    """A setting that varies: its dotted name, its range, and what it is when nobody turns it.

    share: whether its values are shares of the usual one, as with the rate, which each optimiser
        has another of.
    """

    name: str
    range: Range
    default: Any
    share: bool = False

    @property
    def first(self) -> Any:
        """Its value in the first trial, that of defaults."""
        if self.default is not NONE:
            return self.default
        return self.range.values[0] if isinstance(self.range, Choice) else self.range.low


ACTIVATIONS = Choice(("relu", "gelu", "silu", "mish", "elu", "tanh"))
DROPOUT = Span(0.0, 0.4)
POOL = Choice(("mean", "max"))

TRAINING: dict[str, Range] = {
    "optimizer": Choice(("adamw", "nadam", "radam", "rmsprop", "sgd")),
    "lr": Span(0.05, 20.0, log=True),
    "weight_decay": Span(1e-4, 0.3, log=True),
    "batch_size": Choice((None, 16, 32, 64, 128)),  # None: as suits the number of labels
    "ema": Choice((0.0, 0.98)),
}
# A few hundred rows want a stronger hold than pictures do (docs/tables.md).
TABLE_TRAINING: dict[str, Range] = {**TRAINING, "weight_decay": Span(1e-3, 5.0, log=True)}
PRETRAINED: dict[str, Range] = {
    "mode": Choice(("staged", "full")),
    "layer_decay": Span(0.5, 1.0),
}
ANY_FINETUNING: dict[str, Range] = {"augment": Choice((True, False))}
PICTURES_WITH_CLASSES: dict[str, Range] = {"mixup": Choice((0.0, 0.1, 0.4))}
TASK: dict[str, dict[str, Range]] = {
    "classification": {"label_smoothing": Span(0.0, 0.3), "dropout": DROPOUT},
    "regression": {"dropout": DROPOUT, "scale": Choice(("standard", "rank"))},
}
BACKBONE: dict[str, dict[str, Range]] = {
    "conv": {
        "widths": Choice(((16, 32), (16, 32, 64), (32, 64), (32, 64, 128), (64, 128))),
        "activation": ACTIVATIONS, "dropout": DROPOUT,
    },
    "mlp": {
        "widths": Choice(
            ((128, 64), (256, 64), (512, 256, 64), (512, 512, 256), (1024, 512, 256, 64))
        ),
        "activation": ACTIVATIONS, "norm": Choice((False, True)), "dropout": DROPOUT,
    },
    "tabm": {
        "width": Choice((64, 128, 256, 512)), "depth": Span(1, 4, whole=True),
        "bins": Choice((8, 16, 48)), "activation": ACTIVATIONS, "dropout": DROPOUT,
    },
    "tcn": {
        "width": Choice((32, 64, 128)), "depth": Span(2, 6, whole=True),
        "activation": ACTIVATIONS, "drop_path": Span(0.0, 0.3),
    },
    "audioconv": {
        "widths": Choice(((16, 32), (16, 32, 64), (32, 64, 128))), "dim": Choice((64, 128, 256)),
        "activation": ACTIVATIONS, "dropout": DROPOUT,
    },
    "vit": {"size": Choice(("mini", "tiny")), "drop_path": Span(0.0, 0.3)},
    "ngram": {
        "width": Choice((32, 64, 128, 256)), "longest": Span(1, 5, whole=True),
        "pool": POOL, "dropout": DROPOUT,
    },
    "textconv": {
        "width": Choice((64, 128, 256)), "depth": Span(1, 6, whole=True),
        "pool": POOL, "dropout": DROPOUT,
    },
    "transformer": {
        "width": Choice((64, 128, 256)), "depth": Span(1, 6, whole=True),
        "pool": POOL, "dropout": DROPOUT,
    },
}  # fmt: skip
MODALITY: dict[str, dict[str, Range]] = {
    "table": {"swap": Span(0.0, 0.5)},
    "text": {"drop": Span(0.0, 0.4)},
}
# Of pictures, by their kind: how strongly weak augmentation moves them.
AUGMENTATION: dict[str, dict[str, Range]] = {
    "digits": {"rotate": Span(0.0, 30.0), "scale": Span(0.0, 0.3), "shift": Span(0.0, 0.2)},
    "objects": {"shift": Span(0.0, 0.2), "scale": Span(0.0, 0.3)},
    "photos": {"crop": Span(0.0, 0.6)},
}

OBJECTIVE: dict[str, dict[str, Range]] = {
    "autoencoder": {"augment": Choice((False, True))},
    "denoising": {"noise": Span(0.0, 1.0), "mask": Span(0.0, 0.8)},
    "masked": {"ratio": Span(0.3, 0.9)},
    "simclr": {"temperature": Span(0.05, 1.0, log=True)},
    "vicreg": {"invariance": Span(5.0, 50.0, log=True), "covariance": Span(0.1, 10.0, log=True)},
    "barlow": {"redundancy": Span(5e-4, 0.05, log=True)},
    "byol": {"predictor": Choice((128, 256, 512))},
    "mlm": {"ratio": Span(0.1, 0.6), "unit": Choice(("token", "word", "span"))},
    "electra": {"ratio": Span(0.1, 0.4), "weight": Span(5.0, 100.0, log=True)},
}  # fmt: skip


def usual(groups: Mapping[str, Mapping[str, Range]]) -> dict[str, Range]:
    """The ranges of several groups by dotted name."""
    return {f"{group}.{name}": r for group, ranges in groups.items() for name, r in ranges.items()}


def knobs(
    ranges: Mapping[str, Range],
    asked: Sequence[str],
    defaults: Mapping[str, Any],
    given: Iterable[str],
) -> list[Knob]:
    """What a search turns.

    ranges: the usual ones, by dotted name; those the run has no setting for are passed over.
    asked: ranges of the user's own, as `parse` reads them.
    defaults: every setting of the run that nobody tuned, as a tree; a `training.lr` of None is
        the optimiser's usual one.
    given: names of settings the user chose; these stay as they are.

    Raises:
        UserError: a range of the user's own is malformed, or of a setting that does not exist.
    """
    known = dict(leaves(defaults))
    own = dict(parse(text) for text in asked)
    for name in own:
        if name not in known:
            guess = nearest(name, known)
            hint = f"Did you mean {guess}?" if guess else f"Known: {', '.join(known)}."
            raise UserError(f"--search {name}: there is no such setting to vary.", hint)
    fixed = set(given)
    found = [
        _knob(name, range_, known[name], share=name == RATE)
        for name, range_ in ranges.items()
        if name in known and name not in fixed and name not in own
    ]
    return found + [_knob(name, range_, known[name], share=False) for name, range_ in own.items()]


def _knob(name: str, range_: Range, default: Any, *, share: bool) -> Knob:
    if share:
        return Knob(name, range_, 1.0, share=True)
    default = tuple(default) if isinstance(default, list) else default
    if isinstance(range_, Choice):
        held = default in range_.values
    else:
        number = isinstance(default, int | float) and not isinstance(default, bool)
        held = number and range_.low <= default <= range_.high
    return Knob(name, range_, default if held else NONE)


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Every plain value of nested settings, by dotted name."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def parse(text: str) -> tuple[str, Range]:
    """`NAME=LOW..HIGH` or `NAME=A,B,C` → the dotted name and its range.

    A span of positive numbers whose bounds differ tenfold or more is searched by ratios.

    Raises:
        UserError: it is neither.
    """
    name, equals, value = text.partition("=")
    expected = "expected NAME=LOW..HIGH or NAME=A,B,C, as training.weight_decay=1e-4..0.3."
    if not equals or not name.strip():
        raise UserError(f"--search {text}: {expected}")
    low, dots, high = value.partition("..")
    if dots:
        return name.strip(), _span(text, parse_value(low), parse_value(high))
    values = parse_value(f"[{value}]")
    if not isinstance(values, list) or len(values) < 2:
        raise UserError(f"--search {text}: {expected}")
    return name.strip(), Choice(tuple(_plain(item) for item in values))


def _span(text: str, low: Any, high: Any) -> Span:
    for bound in (low, high):
        if not isinstance(bound, int | float) or isinstance(bound, bool):
            raise UserError(f"--search {text}: '{bound}' is not a number.")
    if not low < high:
        raise UserError(f"--search {text}: {low} is not below {high}.")
    whole = isinstance(low, int) and isinstance(high, int)
    return Span(low, high, log=low > 0 and high / low >= 10, whole=whole)


def _plain(value: Any) -> Any:
    """YAML takes 1e-3 for text; lists become tuples, which can be compared and kept."""
    if isinstance(value, list):
        return tuple(_plain(item) for item in value)
    return parse_value(value) if isinstance(value, str) else value


def changes(
    turned: Sequence[Knob], values: Mapping[str, Any], usual_rate: Mapping[str, float]
) -> dict[str, Any]:
    """The settings that `values`, by knob, stand for: those that are not the default.

    usual_rate: by optimiser's name, "" for the one of a run that nobody tuned.
    """
    raw: dict[str, Any] = {}
    for knob in turned:
        value = values[knob.name]
        if value == knob.default:
            continue
        if knob.share:
            value = value * usual_rate[values.get("training.optimizer", "")]
        set_path(raw, knob.name, _listed(value))
    return raw


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple) else value
