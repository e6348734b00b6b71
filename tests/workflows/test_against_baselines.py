"""Who wins, said plainly; and a draw of labels as frequent as classes are."""

import numpy as np
import pytest

from headstart.data import budget
from headstart.data.dataset import Samples
from headstart.tasks.classification import Classification, ClassificationConfig
from headstart.tasks.regression import Regression, RegressionConfig
from headstart.workflows.against_baselines import verdict

TARGETS = np.array([0, 1] * 10)
TASK = Classification(ClassificationConfig(), 2, Classification.fit(None, TARGETS))
NUMBER = Regression(RegressionConfig(), 2, Regression.fit(RegressionConfig(), TARGETS))


@pytest.mark.parametrize(
    ("task", "own", "others", "message"),
    [
        (TASK, 0.9, {"a": 0.8, "b": 0.85}, "ahead of the best baseline, b, by 0.05"),
        (TASK, 0.8, {"a": 0.8, "b": 0.85}, "the baseline b wins by 0.05"),
        (TASK, 0.8, {"a": 0.8}, "are level"),
        (NUMBER, 4.5, {"a": 5.0, "b": 4.0}, "the baseline b wins by 0.5"),
        (NUMBER, 3.5, {"a": 5.0, "b": 4.0}, "ahead of the best baseline, b, by 0.5"),
    ],
)
def test_the_winner_is_named_and_by_how_much(task, own, others, message):
    figures = {name: {"val": {task.metric: value}} for name, value in others.items()}
    assert message in verdict(figures, {"validation": {task.metric: own}}, task)


def test_without_labels_to_validate_test_tells():
    figures = {"a": {"test": {"accuracy": 0.7}}, "b": {"failed": "too few labels"}}
    said = verdict(figures, {"test": {"accuracy": 0.8}}, TASK)
    assert "by the test split" in said
    assert verdict({}, {"test": {"accuracy": 0.8}}, TASK) is None


def test_labels_drawn_in_nature_are_as_frequent_as_classes():
    targets = np.array([0] * 800 + [1] * 200)
    samples = Samples(np.zeros((1000, 1)), targets)
    for equal, share in ((True, 0.5), (False, 0.2)):
        drawn = budget.choose(
            samples, classes=True, labels=100, per_class=None, seed=0, equal=equal
        )
        rows = np.concatenate([drawn.train, drawn.validation])
        assert len(rows) == 100
        assert targets[rows].mean() == pytest.approx(share)
