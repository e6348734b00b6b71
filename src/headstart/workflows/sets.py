"""What a fine-tuning learns from, validates with and is tested on, cut from a label budget.

And samples as those want them who take them in parts: texts by words, recordings by windows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from headstart.data import budget
from headstart.data.budget import Budget
from headstart.data.dataset import Dataset, Samples
from headstart.data.label_file import labelled_by
from headstart.data.words import check_counts, split_words
from headstart.errors import UserError
from headstart.modalities.base import Modality, Windowed, Wordy
from headstart.workflows.config import FinetuneConfig

REST = "unlabelled"


def word_by_word(modality: Modality, splits: dict[str, Samples]) -> dict[str, Samples]:
    """Splits of texts as words, for a task that answers for each; others as they are.

    Raises:
        UserError: a text has not as many tags as words.
    """
    if not isinstance(modality, Wordy):
        return splits
    modality.by_words = True
    parted = {name: split_words(samples) for name, samples in splits.items()}
    for samples in parted.values():
        check_counts(samples)
    return parted


def by_window(modality: Modality) -> Modality:
    """The modality as those see it who take any stretch: of long recordings a window a sample."""
    return modality.by_window() if isinstance(modality, Windowed) else modality


def windows_of(modality: Modality, splits: dict[str, Samples]) -> dict[str, Samples]:
    """Samples as `by_window` reads them; those that are not long as they are."""
    if not isinstance(modality, Windowed):
        return splits
    return {name: modality.pieces(samples) for name, samples in splits.items()}


def labelled_train(config: FinetuneConfig, dataset: Dataset) -> Samples:
    """Train, with no labels but those of `--labels-from` where that was given.

    Raises:
        UserError: the file cannot be used, or another way to choose labels was given too.
    """
    if config.labels_from is None:
        return dataset.train
    if config.labels is not None or config.labels_per_class is not None:
        raise UserError(
            "--labels-from says which labels are used: leave --labels and --labels-per-class out."
        )
    return labelled_by(dataset.train, Path(config.labels_from))


def budget_of(
    config: FinetuneConfig, train: Samples, *, classes: bool, share: float | None
) -> Budget:
    """The labels that `config` asks for, and the share of them that validates (see `choose`).

    The one draw of `finetune`, `compare` and `tune`: the same settings are the same labels.
    """
    return budget.choose(
        train,
        classes=classes,
        labels=config.labels,
        per_class=config.labels_per_class,
        seed=config.seed if config.label_seed is None else config.label_seed,
        share=share,
        equal=config.label_draw == "equal",
    )


def cut_sets(config: FinetuneConfig, dataset: Dataset, *, classes: bool) -> dict[str, Samples]:
    """Disjoint parts of a data set, as the budget of `config` gives them, those that are not empty.

    'train', 'validation' and 'test' are labelled; `REST` are samples of train outside the budget,
    whose labels, if they have any, are not looked at: there only if they are learned from.

    classes: whether targets are classes, drawn in equal numbers.

    Raises:
        UserError: there are fewer labels than asked for, or nothing is left without one.
    """
    own = dataset.splits.get("validation")
    named = config.labels_from is not None
    unlimited = config.labels is None and config.labels_per_class is None and not named
    use_own = unlimited and own is not None and bool(own.has_label.any())
    train = labelled_train(config, dataset)
    share = 0.0 if use_own else config.validation_share
    chosen = budget_of(config, train, classes=classes, share=share)
    nobody = train.take(np.arange(0))
    wanted = {
        "train": train.take(chosen.train),
        "validation": own if use_own and own else train.take(chosen.validation),
        "test": dataset.splits.get("test", nobody),
    }
    wanted = {n: s.take(np.flatnonzero(s.has_label)) for n, s in wanted.items() if len(s)}
    if config.unlabelled != "ignore" or config.teacher:
        used = np.concatenate([chosen.train, chosen.validation])
        wanted[REST] = train.take(np.setdiff1d(np.arange(len(train)), used))
        if len(wanted[REST]) == 0 and not config.teacher:
            raise UserError(
                "every sample of train is labelled: there is nothing to train itself on.",
                "Leave --unlabelled out, or use fewer labels (--labels-per-class).",
            )
    return {name: samples for name, samples in wanted.items() if len(samples)}
