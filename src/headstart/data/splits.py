"""The splits a source lacks, made once: stratified where there are classes, seeded, recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    train_test_split,
)

from headstart.data.corpus import Corpus
from headstart.data.dataset import Dataset, Samples
from headstart.errors import UserError

TEST_SHARE = 0.2
NAMED = 5  # groups that a note names

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


def ensure_test(dataset: Dataset, seed: int) -> Dataset:
    """The data set with a test split: its own, or a fifth of train set apart.

    Raises:
        UserError: there are too few samples to cut.
    """
    if "test" in dataset.splits:
        return dataset
    train = dataset.train
    if len(train) < 5:
        raise UserError(
            f"{dataset.source} has {len(train)} samples: too few to set a test split apart.",
            "Give more samples, or name a test split with --test.",
        )
    kept, held = parted(train, TEST_SHARE, seed)
    note = f"no test split was found: {len(held):,} of {len(train):,} samples were set apart"
    note += _whose(held, train)
    splits = {**dataset.splits, "train": kept, "test": held}
    return dataset.with_splits(splits, f"{note} (seed {seed})")


def _whose(held: Samples, train: Samples) -> str:
    """Which groups were set apart, where samples have any."""
    if held.groups is None or train.groups is None:
        return ""
    names = [str(name) for name in np.unique(held.groups)]
    some = ", ".join(names[:NAMED]) + (" ..." if len(names) > NAMED else "")
    return f", all those of {some}, {len(names):,} of {len(np.unique(train.groups)):,} groups"


def parted(samples: Samples, share: float, seed: int) -> tuple[Samples, Samples]:
    """The larger and the smaller part, as `cut` makes them; streamed texts are cut by blocks."""
    if isinstance(samples.inputs, Corpus):
        rest, apart = samples.inputs.parted(share, seed)
        return Samples(rest), Samples(apart)
    kept, held = cut(samples, share, seed)
    return samples.take(kept), samples.take(held)


def cut(samples: Samples, share: float, seed: int) -> Fold:
    """Indices of the larger and the smaller part, both sorted; stratified by class if it can be.

    Samples that belong together stay so: whole groups are drawn until the smaller part has its
    share.

    Raises:
        UserError: all samples belong together.
    """
    index = np.arange(len(samples))
    if samples.groups is not None:
        return by_groups(samples.groups, share, seed)
    strata = _strata(samples)
    count = min(max(1, round(share * len(samples))), len(samples) - 1)  # neither part is empty
    if strata is not None and min(count, len(samples) - count) < len(np.unique(strata)):
        strata = None
    kept, held = train_test_split(index, test_size=count, random_state=seed, stratify=strata)
    return np.sort(kept), np.sort(held)


def folds(
    count: int,
    classes: NDArray[Any] | None,
    groups: NDArray[Any] | None,
    *,
    size: int,
    seed: int,
) -> list[Fold]:
    """Indices kept and held of `size` samples in each of `count` folds, every sample held once.

    classes: `[size]`, by which they are stratified where each class has a member for every fold;
    None where there are none. groups: `[size]`, of which none is parted; None where all stand
    alone.

    Raises:
        UserError: there are fewer groups than folds.
    """
    fewest = 0 if classes is None else np.unique(classes, return_counts=True)[1].min()
    stratified = fewest >= count
    if groups is None:
        kind = StratifiedKFold if stratified else KFold
    else:
        kind = StratifiedGroupKFold if stratified else GroupKFold
        there = len(np.unique(groups))
        if there < count:
            raise UserError(
                f"{there} groups are too few for {count} folds, of which each needs one that the"
                " others have not.",
                "Ask for fewer --folds, or give labels of more groups.",
            )
    splitter = kind(count, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(size), classes, groups))


def by_groups(groups: NDArray[Any], share: float, seed: int) -> Fold:
    """Indices of the larger and the smaller part, both sorted, that have no group in common.

    Raises:
        UserError: all samples belong together.
    """
    names, members, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise UserError(
            f"all samples belong to the group '{names[0]}': no split can keep it together.",
            "Leave --group out, or name the splits with --validation and --test.",
        )
    order = np.random.default_rng(seed).permutation(len(names))
    most = counts[order] > len(groups) / 2  # a group of most samples is no smaller part
    order = order[np.argsort(most, kind="stable")]
    before = np.cumsum(counts[order]) - counts[order]
    drawn = order[:-1][before[:-1] < share * len(groups)]
    held = np.isin(members, drawn)
    return np.flatnonzero(~held), np.flatnonzero(held)


def _strata(samples: Samples) -> NDArray[Any] | None:
    """Classes to stratify by, the unlabelled as one more; None where a class has one member."""
    if samples.targets is None or samples.targets.dtype.kind == "f":
        return None
    _, strata = np.unique(samples.targets, return_inverse=True)
    strata = np.where(samples.has_label, strata + 1, 0)
    counts = np.bincount(strata)
    if counts[counts > 0].min() < 2 or (counts > 0).sum() > len(samples) // 4:
        return None
    return strata
