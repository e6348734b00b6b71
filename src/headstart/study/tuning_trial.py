"""One trial: fine-tunings that take turns to validate, ended early where they lag behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.data import splits
from headstart.data.dataset import Dataset, Samples
from headstart.errors import UserError
from headstart.parts.learner import Learner
from headstart.runs.folder import RunFolder
from headstart.training.watching import Watcher
from headstart.workflows.assemble import Say
from headstart.workflows.config import FinetuneConfig, PretrainConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.pretrain import pretrain
from headstart.workflows.sets import budget_of, labelled_train

if TYPE_CHECKING:
    import optuna

    from headstart.training.engine import Engine

FEW = 1_000  # labels below which several folds judge
FOLDS_OF_FEW = 3
HELD_OUT = 0.25  # of the labels, where one fold judges
GRAIN = 5  # per cent: validations of trainings of other lengths are compared at such marks
TIMES = 100  # marks a fold


class LaggingError(Exception):
    """The trial lags behind the others: it need not go on."""


def folds(
    config: FinetuneConfig, dataset: Dataset, asked: int | None, *, classes: bool
) -> list[Dataset]:
    """The label budget cut for judging: data sets without a test split, one for each fold.

    In each, labels outside the budget are hidden, and those of the fold are the validation split.
    A data set's own validation split judges where the budget is everything.

    Raises:
        UserError: there are too few labels to cut.
    """
    train, own = labelled_train(config, dataset), dataset.splits.get("validation")
    named = config.labels_from is not None
    unlimited = config.labels is None and config.labels_per_class is None and not named
    if unlimited and own is not None and bool(own.has_label.any()):
        return [replace(dataset, splits={"train": train, "validation": own})]
    seed = config.seed if config.label_seed is None else config.label_seed
    chosen = budget_of(config, train, classes=classes, share=0.0).train
    count = asked or (FOLDS_OF_FEW if len(chosen) < FEW else 1)
    if len(chosen) < 2 * max(2, count):
        raise UserError(
            f"{len(chosen)} labels are too few to judge settings by: each of {count} folds needs"
            " two at least.",
            "Give more labels, or fewer --folds.",
        )
    return [
        replace(dataset, splits={"train": _labelled(train, kept), "validation": train.take(held)})
        for kept, held in _cuts(train, chosen, count, seed, classes=classes)
    ]


def _cuts(
    train: Samples, chosen: NDArray[np.intp], count: int, seed: int, *, classes: bool
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Positions in train to learn from, and to validate with, for each fold."""
    few = train.take(chosen)
    assert few.targets is not None
    if count == 1:
        parts = [splits.cut(few, HELD_OUT, seed)]
    else:
        named = few.targets if classes else None
        parts = splits.folds(count, named, few.groups, size=len(few), seed=seed)
    return [(chosen[kept], chosen[held]) for kept, held in parts]


def _labelled(train: Samples, kept: NDArray[np.intp]) -> Samples:
    """All of train, with no labels but those at `kept`."""
    mask = np.zeros(len(train), dtype=bool)
    mask[kept] = True
    return replace(train, labelled=mask)


class Reporter(Watcher):
    """Tells Optuna how a fold's validation goes, and ends the trial that lags behind.

    before: what the folds before came to.
    """

    def __init__(self, trial: optuna.Trial, fold: int, before: Sequence[float]) -> None:
        self.trial = trial
        self.fold = fold
        self.before = before
        self._engine: Engine | None = None

    def on_start(self, engine: Engine) -> None:
        """Learn where to read how far training is."""
        self._engine = engine

    def on_validate(self, learner: Learner, figures: dict[str, float]) -> dict[str, float]:  # noqa: ARG002
        """Raises:
        LaggingError: the trial is worse than most others were at this point.
        """
        engine = self._engine
        assert engine is not None
        assert engine.validation is not None
        percent = 100 * engine.plan.progress(engine.at.step)
        mark = TIMES * self.fold + GRAIN * round(percent / GRAIN)
        value = float(np.mean([*self.before, figures[engine.validation.metric]]))
        told = self.trial.storage.get_trial(self.trial._trial_id).intermediate_values
        if mark not in told:
            self.trial.report(value, mark)
        if self.trial.should_prune():
            raise LaggingError
        return {}


@dataclass
class Bench:
    """What all trials of a search share: how they are judged.

    folds: as `folds` gives them; metric: its name.
    """

    folds: list[Dataset]
    metric: str

    def value(
        self,
        trial: optuna.Trial,
        config: FinetuneConfig,
        place: Path,
        say: Say,
        before: PretrainConfig | None = None,
    ) -> float:
        """The metric on validation after the last step, averaged over the folds.

        Folds that are finished are read, and one that was interrupted goes on.
        before: the pre-training that they all start from.

        Raises:
            LaggingError: the trial was ended early.
            UserError: it cannot be trained with these settings.
            InterruptedRunError: a signal came; the trial can go on later.
        """
        found: list[float] = []
        if before is not None:
            config = self._started(config, before, place / "pretrained", say)
        for number, dataset in enumerate(self.folds):
            path = place / f"fold-{number}"
            one = replace(
                config,
                labels=None,
                labels_per_class=None,
                labels_from=None,
                seed=config.seed + number,
            )
            if not (path / "result.json").exists():
                with RunFolder.create(path, resume=True, overwrite=False) as folder:
                    watcher = Reporter(trial, number, found)
                    finetune(one, folder, dataset=dataset, resume=True, watchers=[watcher], say=say)
            found.append(self._last(RunFolder(path)))
        return float(np.mean(found))

    def _started(
        self, config: FinetuneConfig, before: PretrainConfig, path: Path, say: Say
    ) -> FinetuneConfig:
        """The fine-tuning from a pre-training, which is made where it is not there yet."""
        if not (path / "result.json").exists():
            with RunFolder.create(path, resume=True, overwrite=False) as folder:
                pretrain(before, folder, dataset=self.folds[0], resume=True, say=say)
        return replace(config, start=str(path), backbone={}, modality={})

    def _last(self, folder: RunFolder) -> float:
        # The last weights, not the best: a lucky validation on the way is no merit of settings.
        lines: list[dict[str, Any]] = [r for r in folder.read_progress() if "validation" in r]
        value = lines[-1]["validation"][self.metric]
        if value is None:  # JSON has no infinity
            raise UserError(f"the validation {self.metric} is no number: training went astray.")
        return float(value)
