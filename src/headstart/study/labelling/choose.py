"""From a run and data to the samples to label first."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from headstart.data import label_file
from headstart.data.dataset import Dataset, Samples
from headstart.data.sources import check_to_learn
from headstart.data.splits import ensure_test
from headstart.errors import UserError
from headstart.runs.atomic import write_text
from headstart.study.labelling import table
from headstart.study.labelling.space import Space
from headstart.tasks.classification import Classification
from headstart.tasks.spreading import whitened
from headstart.workflows.answer import opened
from headstart.workflows.assemble import Say
from headstart.workflows.config import DataConfig
from headstart.workflows.loaded import CHUNK, LoadedRun
from headstart.workflows.supply import Supply

MOST = 8_000  # samples that are looked at: rules compare all pairs
AUTO = "auto"
Rule = Callable[[Space, int], list[int]]


@dataclass
class Pool:
    """Samples of train that may be labelled, and what a run sees in them.

    samples: `[N]`, the readable ones; features: `[N, D]`; answers: `[N, K]` or None.
    of: how many samples train has; classes: what answers are of, K of them.
    """

    samples: Samples
    features: Tensor
    answers: Tensor | None
    of: int
    classes: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.names = [self.samples.name(i) for i in range(len(self.samples))]

    def space(self, known: Iterable[str], seed: int) -> Space:
        """What a rule looks at; known: names of samples that have a label or want none."""
        row = {name: i for i, name in enumerate(self.names)}
        rows = [row[name] for name in known if name in row]
        return Space(whitened(self.features), rows, self.answers, seed)

    def choose(self, rule: str, count: int, known: Iterable[str], seed: int) -> list[int]:
        """Positions of the samples to label next, in that order.

        Raises:
            UserError: there is no such rule, or it does not suit the run.
        """
        name = rule if rule != AUTO else ("margin" if self.answers is not None else "typical")
        work: Rule = table.load(name)
        return work(self.space(known, seed), count)


def to_label(run: LoadedRun, data: DataConfig) -> tuple[Dataset, DataConfig]:
    """The data as those see it who choose labels, and how they are to be read by who learns them.

    The test split is left out: their own, or the one that a fine-tuning on them sets apart.

    Raises:
        UserError: they do not suit the run, have nothing to train on, or are too few.
    """
    dataset, _, read = opened(run, data)
    check_to_learn(dataset)
    whole = ensure_test(dataset, read.split_seed)
    left = {name: samples for name, samples in whole.splits.items() if name != "test"}
    return replace(whole, splits=left), read


def pool_of(
    run: LoadedRun,
    dataset: Dataset,
    data: DataConfig,
    *,
    known: Iterable[str] = (),
    most: int = MOST,
    seed: int = 0,
    say: Say = lambda _: None,
) -> Pool:
    """At most `most` samples of train, those of `known` among them, as `run` sees them.

    Raises:
        UserError: a sample cannot be read.
    """
    train = dataset.train
    rows = np.arange(len(train))
    if len(train) > most:
        wanted = set(known)
        kept = [i for i in range(len(train)) if train.name(i) in wanted] if wanted else []
        rest = np.setdiff1d(rows, kept)
        drawn = np.random.default_rng(seed).permutation(rest)[: max(0, most - len(kept))]
        rows = np.sort(np.concatenate([np.array(kept, dtype=rows.dtype), drawn]))
        say(f"{len(rows):,} of {len(train):,} samples of train, drawn at random, are looked at")
    some = train.take(rows)
    with Supply({"pool": some}, run.modality, data, seed=0, batch_size=CHUNK, say=say) as supply:
        features, answers = [], []
        for x, _ in supply.loaders["pool"].in_order(CHUNK):
            features.append(run.embeddings(x))
            if isinstance(run.task, Classification):
                answers.append(run.task.probabilities(run.outputs(x)))
        samples = supply.readable("pool")
    classes = [str(name) for name in run.task.classes] if answers else ()  # type: ignore[union-attr]
    said = torch.cat(answers) if answers else None
    return Pool(samples, torch.cat(features), said, len(train), classes)


class Chosen(NamedTuple):
    """Names of samples, in the order in which they are to be labelled.

    read: how the data are to be read by who learns the labels.
    """

    names: list[str]
    read: DataConfig


def choose_labels(
    run: LoadedRun,
    data: DataConfig,
    count: int,
    *,
    rule: str = AUTO,
    known: Path | None = None,
    most: int = MOST,
    seed: int = 0,
    say: Say = lambda _: None,
) -> Chosen:
    """The samples of train to label next.

    known: a labels file of those that are labelled already: they are not chosen again, and what
        lies near them is as good as labelled.

    Raises:
        UserError: the data do not suit the run, there are fewer samples, or the rule does not fit.
    """
    if rule != AUTO:
        table.load(rule)
    if count < 1:
        raise UserError(f"--count must be at least 1, not {count}.")
    dataset, read = to_label(run, data)
    done = list(label_file.read(known)) if known is not None else []
    left = len(dataset.train) - len(done)
    if count > left:
        raise UserError(f"--count {count}: train has {left:,} samples without a label in it.")
    pool = pool_of(
        run, dataset, read, known=done, most=max(most, count + len(done)), seed=seed, say=say
    )
    return Chosen([pool.names[i] for i in pool.choose(rule, count, done, seed)], read)


def vacant(path: Path) -> Path:
    """The path of a labels file that is not there yet.

    Raises:
        UserError: it is there.
    """
    if path.exists():
        raise UserError(f"{path} exists: labels may be in it.", "Name another file.")
    return path


def write_list(path: Path, names: Iterable[str]) -> None:
    """A labels file whose labels are still to be filled in."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([label_file.NAME, label_file.LABEL])
    rows.writerows([name, ""] for name in names)
    write_text(path, text.getvalue())
