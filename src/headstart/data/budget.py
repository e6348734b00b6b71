"""Which labels may be used: balanced, seeded, and validation taken out of them.

A budget of labels is everything a user owns: the labels that choose the best epoch are spent
from it like those that are learned from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.dataset import Samples
from headstart.data.splits import cut
from headstart.errors import UserError

Index = NDArray[np.intp]

# Below this many labels a class, a validation split would choose by chance and cost dearly.
FEWEST_PER_CLASS = 20
VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class Budget:
    """Positions within train: labels to learn from, and labels to validate with (maybe none)."""

    train: Index
    validation: Index

    def __len__(self) -> int:
        return len(self.train) + len(self.validation)


def choose(
    samples: Samples,
    *,
    classes: bool,
    labels: int | None,
    per_class: int | None,
    seed: int,
    share: float | None = None,
    equal: bool = True,
) -> Budget:
    """Draw the labels of one budget, and the part of them that validates.

    classes: whether targets are classes, drawn in equal numbers.
    labels, per_class: how many labels in all, or of each class; all of them when both are None.
    equal: whether `labels` are of each class alike, or as frequent as classes are.
    share: of the budget that validates; None decides: a tenth, or none when labels are few.

    Raises:
        UserError: fewer labels exist than were asked for, or both ways of asking were used.
    """
    if labels is not None and per_class is not None:
        raise UserError("--labels and --labels-per-class say the same thing: give one of them.")
    known = np.flatnonzero(samples.has_label)
    if len(known) == 0:
        raise UserError("fine-tuning needs labels, and the train split has none.")
    if per_class is not None and not classes:
        raise UserError("--labels-per-class needs classes; for numbers use --labels.")
    assert samples.targets is not None  # has_label said so
    targets = samples.targets[known]
    if labels is None and per_class is None:
        chosen = known
    elif classes and not equal and labels is not None:
        chosen = known[_natural(samples.take(known), labels, seed)]
    elif classes:
        chosen = known[_balanced(targets, labels, per_class, seed)]
    else:
        chosen = known[_random(len(known), labels or 0, seed)]
    return _with_validation(samples, np.sort(chosen), classes, share, seed)


def _balanced(targets: NDArray[Any], labels: int | None, per_class: int | None, seed: int) -> Index:
    names, codes = np.unique(targets, return_inverse=True)
    if per_class is not None:
        wanted = np.full(len(names), per_class)
    else:
        assert labels is not None
        if labels < len(names):
            raise UserError(f"--labels {labels} is less than one for each of {len(names)} classes.")
        wanted = np.full(len(names), labels // len(names))
        wanted[: labels % len(names)] += 1
    rarest = int(np.bincount(codes).min())
    hints = [f"Use --label-draw natural, or --labels {rarest * len(names)}."]
    if per_class is not None:
        hints = [f"Use --labels-per-class {rarest}."]
    if np.asarray(targets).dtype.kind in "iuf":
        hints.append("If they are amounts, not classes: --task regression.")
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(targets))
    picked = []
    for code, count in enumerate(wanted):
        members = order[codes[order] == code]
        if len(members) < count:
            raise UserError(
                f"class '{names[code]}' has {len(members)} labels in train;"
                f" {count} were asked for.",
                *hints,
            )
        picked.append(members[:count])
    return np.concatenate(picked)


def _natural(known: Samples, labels: int, seed: int) -> Index:
    if not 1 <= labels < len(known):
        return _random(len(known), labels, seed)
    return cut(known, labels / len(known), seed)[1]


def _random(known: int, labels: int, seed: int) -> Index:
    if not 1 <= labels <= known:
        raise UserError(f"--labels {labels}: train has {known} labels; ask for 1 to {known}.")
    return np.random.default_rng(seed).permutation(known)[:labels]


def _with_validation(
    samples: Samples, chosen: Index, classes: bool, share: float | None, seed: int
) -> Budget:
    budget = samples.take(chosen)
    if share is None:
        assert budget.targets is not None
        groups = len(np.unique(budget.targets)) if classes else 1
        share = VALIDATION_SHARE if len(chosen) >= FEWEST_PER_CLASS * groups else 0.0
    if share == 0.0 or len(chosen) < 2:
        return Budget(chosen, chosen[:0])
    kept, held = cut(budget, share, seed)
    return Budget(chosen[kept], chosen[held])
