"""Which weights are kept: the best by the metric, and of those that it cannot tell apart by the loss."""

import pytest

from headstart.training.watching import Validation
from samples import engine, identical, supervised, weights


@pytest.mark.parametrize(
    ("accuracies", "losses", "best"),
    [
        ([0.5, 0.8, 0.8, 0.8], [2.0, 1.5, 0.9, 1.0], 3),  # still learning: three of four are right
        ([0.5, 0.8, 0.8, 0.8], [2.0, 1.5, 1.6, 1.7], 2),  # and here it only grows surer
        ([0.5, 0.8, 0.7, 0.8], [2.0, 1.5, 0.1, 1.5], 2),  # a loss alone decides nothing
        ([0.8, 0.8, 0.8, 0.8], [float("nan")] * 4, 1),
        ([0.8, 0.8, 0.8, 0.8], [float("nan"), 1.0, 0.9, 1.0], 3),
        ([float("nan"), 0.5, 0.8, 0.7], [0.1, 1.0, 1.0, 1.0], 3),  # the first look saw no number
        ([0.5, float("nan"), 0.8, float("inf")], [1.0, 1.0, 1.0, 1.0], 3),
        ([0.5, 0.8, 0.8, 0.9], None, 4),
        ([0.5, 0.8, 0.8, 0.8], None, 2),
    ],
)
def test_equal_accuracies_are_told_apart_by_the_loss(accuracies, losses, best):
    given, seen = iter(range(4)), []

    def judged():
        i = next(given)
        seen.append(weights(made.learner))
        more = {} if losses is None else {"loss": losses[i]}
        return {"accuracy": accuracies[i], **more}

    made = engine(
        supervised(), 4, validation=Validation(judged, "accuracy", "max"), validate_every="1 steps"
    )
    at = made.fit()
    assert at.best_step == best
    assert at.best["accuracy"] == accuracies[best - 1]
    assert identical(weights(made.learner), seen[best - 1])


def test_patience_ends_with_what_neither_figure_betters():
    losses = iter([2.0, 1.0, 0.5, 0.5, 0.6, 0.7, 0.8])
    judged = Validation(lambda: {"accuracy": 0.8, "loss": next(losses)}, "accuracy", "max")
    made = engine(supervised(), 7, validation=judged, validate_every="1 steps", patience=2)
    at = made.fit()
    assert (at.stopped_early, at.step, at.best_step) == (True, 5, 3)
