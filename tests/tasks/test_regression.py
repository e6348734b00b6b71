"""Scales, losses and intervals of a regression, against NumPy, SciPy and counting."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import mean_pinball_loss

from headstart.errors import UserError
from headstart.tasks import scales
from headstart.tasks.regression import Regression, RegressionConfig, pinball

RNG = np.random.default_rng(0)
SKEWED = np.exp(RNG.normal(size=500) * 1.2)


def built(targets, **settings):
    config = RegressionConfig(**settings)
    return Regression(config, 4, Regression.fit(config, targets))


@pytest.mark.parametrize("scale", ["standard", "log", "rank", "auto"])
def test_answers_come_back_in_the_targets_own_unit(scale):
    task = built(SKEWED, scale=scale)
    scaled = task.encode(SKEWED, "train")
    np.testing.assert_allclose(task.own_unit(scaled), SKEWED, rtol=0.02, atol=0.02)
    said = task.answers(scaled[:, None].double())["prediction"].numpy()
    np.testing.assert_allclose(said, SKEWED, rtol=0.02, atol=0.02)
    perfect = task.figures(scaled[:, None], scaled)
    assert perfect["mse"] < 1e-3 * SKEWED.var()
    assert perfect["mean_predictor_mse"] == pytest.approx(SKEWED.var(), rel=0.01)
    assert task.columns(scaled[:, None])["prediction"].shape == (500,)


@pytest.mark.parametrize("scale", ["standard", "log", "rank"])
def test_a_truth_beyond_what_train_has_is_judged_as_it_is(scale):
    task = built(SKEWED, scale=scale)
    truth = np.array([-3.0, 5.0, 10 * SKEWED.max()])
    encoded = task.encode(truth, "test")
    np.testing.assert_allclose(task.truth(encoded), truth, rtol=1e-4)
    assert task.figures(encoded[:, None], encoded)["mean_predictor_mse"] == pytest.approx(
        ((truth - SKEWED.mean()) ** 2).mean(), rel=1e-3
    )
    if scale == "rank":  # answers keep to what train has
        assert task.own_unit(encoded).max() == pytest.approx(SKEWED.max())


def test_auto_takes_logarithms_of_what_is_skewed_and_positive_only():
    assert scales.fit_scale(SKEWED, "auto")["scale"] == "log"
    assert scales.fit_scale(SKEWED - 2, "auto")["scale"] == "standard"
    assert scales.fit_scale(RNG.random(500), "auto")["scale"] == "standard"
    with pytest.raises(UserError, match="never below 0"):
        built(SKEWED - 2, scale="log")


def test_quantile_loss_is_scikit_learns():
    targets, outputs = torch.randn(50), torch.randn(50, 3)
    levels = (0.5, 0.05, 0.95)
    theirs = [
        mean_pinball_loss(targets.numpy(), outputs[:, i].numpy(), alpha=level)
        for i, level in enumerate(levels)
    ]
    assert float(pinball(outputs, targets, levels)) == pytest.approx(np.mean(theirs), rel=1e-5)


def test_huber_counts_far_errors_linearly():
    task = built(RNG.normal(size=100), loss="huber", huber=0.5)
    loss = task.loss(torch.tensor([[0.0], [0.0]]), torch.tensor([0.4, 10.0]))
    assert float(loss) == pytest.approx((0.5 * 0.4**2 + 0.5 * (10 - 0.25)) / 2)


def test_intervals_hold_as_many_as_they_should_once_labels_calibrated_them():
    targets = RNG.normal(size=4_000)
    task = built(targets, loss="quantile", interval=0.8)
    y = task.encode(targets, "train")
    outputs = torch.zeros(len(y), 3)
    outputs[:, 1], outputs[:, 2] = -0.3, 0.3  # far too narrow
    before = task.figures(outputs, y)["coverage"]
    assert before == pytest.approx(norm.cdf(0.3) - norm.cdf(-0.3), abs=0.03)
    state = task.calibrate(outputs[:2_000], y[:2_000])
    after = task.figures(outputs[2_000:], y[2_000:])
    assert after["coverage"] == pytest.approx(0.8, abs=0.03)
    assert state["widening"] == pytest.approx(norm.ppf(0.9) - 0.3, abs=0.1)
    columns = task.columns(outputs)
    assert (columns["low"] <= columns["prediction"]).all()
    assert (columns["prediction"] <= columns["high"]).all()


def test_the_trivial_loss_is_that_of_the_best_constant():
    targets = torch.from_numpy(RNG.normal(size=1_000).astype(np.float32))
    for settings in ({}, {"loss": "huber"}, {"loss": "quantile"}):
        task = built(targets.numpy(), **settings)
        trivial = task.trivial_loss(targets)
        width = 3 if settings.get("loss") == "quantile" else 1
        for shift in (-0.2, 0.2):
            other = task.loss(targets.mean() + shift + torch.zeros(1_000, width), targets)
            assert trivial <= float(other) + 1e-4
