"""What targets ask for where nobody says it: the same in every command."""

import numpy as np
import pytest

from headstart.data.dataset import Dataset, Samples
from headstart.runs.folder import RunFolder
from headstart.study import plan, tuning_question
from headstart.study.config import CompareConfig
from headstart.study.recommend import _facts
from headstart.study.tuning_config import TuneConfig
from headstart.workflows import assemble
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.request import config_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
FRACTIONS, WHOLE = X @ np.arange(3.0), np.arange(60) % 3


def dataset(targets, **more):
    train, test = Samples(X, targets, **more), Samples(X[:20], targets[:20])
    return Dataset("rows", "table", {"train": train, "test": test})


@pytest.mark.parametrize(
    ("targets", "task", "why"),
    [
        (FRACTIONS, "regression", "are fractions"),
        (WHOLE, "classification", "whole numbers; if they are amounts, --task regression"),
        (WHOLE.astype(float), "classification", "whole numbers"),
        (WHOLE.astype(str), "classification", "are names"),
    ],
)
def test_every_command_takes_targets_alike(tmp_path, targets, task, why):
    data = dataset(targets)
    assert assemble.task_for(data).name == task
    assert why in assemble.task_for(data).why
    raw = {"data": {"path": "rows"}, "training": {"duration": "1 steps"}, "baselines": False}
    config = config_of(FinetuneConfig, {**raw, "backbone": {"name": "mlp", "widths": [4]}})
    with RunFolder.create(tmp_path / "run", resume=False, overwrite=False) as folder:
        result = finetune(config, folder, dataset=data)
    assert result["task"] == task
    assert any(why in note for note in result["notes"])
    asked = config_of(CompareConfig, {"data": {"path": "rows"}, "labels": [9], "baselines": []})
    modality = plan.modality_of(asked, data)
    assert plan.make(asked, tmp_path, modality, data).task.name == task
    assert tuning_question.parts_of(config, data, TuneConfig()).task.name == task
    assert _facts(data, assemble.fitted_modality(data, modality))["task"] == task


def test_targets_that_are_not_known_say_nothing():
    targets = WHOLE.astype(float)
    targets[7] = 0.5
    assert assemble.task_for(dataset(targets)).name == "regression"
    assert assemble.task_for(dataset(targets, labelled=np.arange(60) != 7)).name == "classification"


def test_what_is_named_is_not_explained(tmp_path):
    raw = {"data": {"path": "rows"}, "training": {"duration": "1 steps"}, "baselines": False}
    more = {"backbone": {"name": "mlp", "widths": [4]}, "task": {"name": "regression"}}
    with RunFolder.create(tmp_path / "run", resume=False, overwrite=False) as folder:
        result = finetune(
            config_of(FinetuneConfig, {**raw, **more}), folder, dataset=dataset(WHOLE)
        )
    assert result["task"] == "regression"
    assert not any(note.startswith("task ") for note in result["notes"])
