"""Baselines: each learns something, answers in the task's terms, and is what scikit-learn gives."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import RidgeCV

from headstart import baselines, modalities, tasks
from headstart.baselines import models
from headstart.baselines.base import fit
from headstart.data.dataset import Samples
from headstart.errors import UserError
from samples import config_of
from texts import sentences
from waves import waves


def modality(name, samples):
    cls = modalities.table.load(name)
    cls = cls.suited(samples) if hasattr(cls, "suited") else cls
    return cls.fit(samples, config_of(cls.Config))


def task(name, targets):
    cls = tasks.table.load(name)
    config = config_of(cls.Config)
    return cls(config, 1, cls.fit(config, targets))


def digits():
    bunch = load_digits()
    x = (bunch.images * 255 / 16).astype(np.uint8)
    whole = Samples(x, bunch.target)
    return whole.take(np.arange(200)), whole.take(np.arange(1_000, 1_797))


def scored(name, kind, of, train, test):
    learned = task(of, train.targets)
    model = fit(name, train, modality(kind, train), learned, seed=0)
    return learned.figures(model.outputs(test), learned.encode(test.targets, "test"))


@pytest.mark.parametrize(("name", "floor"), [("pixels", 0.85), ("hog", 0.88), ("neighbours", 0.85)])
def test_pictures(name, floor):
    assert scored(name, "image", "classification", *digits())["accuracy"] > floor


@pytest.mark.parametrize("name", ["linear", "boosting", "neighbours"])
def test_numbers(name):
    x, y = load_diabetes(return_X_y=True)
    figures = scored(
        name, "table", "regression", Samples(x[:300], y[:300]), Samples(x[300:], y[300:])
    )
    assert 0.25 < figures["r2"] < 0.65


def test_linear_is_ridge_regression():
    x, y = load_diabetes(return_X_y=True)
    train, test = Samples(x[:300], y[:300]), Samples(x[300:], y[300:])
    mean, std = x[:300].mean(0), x[:300].std(0)
    ridge = RidgeCV([10.0**e for e in range(-3, 5)]).fit((x[:300] - mean) / std, y[:300])
    expected = ((ridge.predict((x[300:] - mean) / std) - y[300:]) ** 2).mean()
    found = scored("linear", "table", "regression", train, test)["mse"]
    assert found == pytest.approx(expected, rel=1e-3)


def test_texts():
    texts = np.array(
        [f"{t} good great" for t in sentences()[:12]] + [f"{t} bad awful" for t in sentences()[:12]]
    )
    samples = Samples(texts, np.array(["+"] * 12 + ["-"] * 12))
    new = Samples(np.array(["what a great day", "an awful one"]), np.array(["+", "-"]))
    assert scored("tfidf", "text", "classification", samples, new)["accuracy"] == 1.0


def test_one_label_of_each_class_is_enough():
    train, test = digits()
    few = train.take(np.array([int(np.flatnonzero(train.targets == c)[0]) for c in range(10)]))
    for name in baselines.fitting("image"):
        assert scored(name, "image", "classification", few, test)["accuracy"] > 0.3


def test_what_does_not_fit_is_refused():
    train, _ = digits()
    with pytest.raises(UserError, match="does not read data of kind 'image'") as caught:
        fit("tfidf", train, modality("image", train), task("classification", train.targets), 0)
    assert "pixels, hog" in caught.value.hints[0]


@pytest.mark.parametrize(("name", "floor"), [("steps", 0.4), ("course", 0.95)])
def test_series(name, floor):
    """Where a wave begins is chance: statistics tell fast from slow, single steps hardly."""
    train, test = (Samples(*waves(120, seed=s, missing=0.05)) for s in (0, 1))
    assert scored(name, "series", "classification", train, test)["accuracy"] > floor


def test_a_rare_class_does_not_spoil_the_choice_of_a_strength(monkeypatch):
    """Where few labels are searched, folds without it would score nothing, and the first wins."""
    monkeypatch.setattr(models, "MOST_SEARCHED", 60)
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [150, 150, 3])
    x = rng.normal(size=(303, 2)) + 0.5 * y[:, None]
    problem = models.Problem(y, classes=True, several=False, seed=0)
    model = models.linear(problem)
    model.fit(x, y)  # warnings are errors: a score that is no number warns
    assert model.classes_.tolist() == [0, 1, 2]


def test_neighbours_know_a_label_that_all_of_them_have():
    y = np.array([[1, 0, 1], [1, 1, 0], [1, 0, 0]])
    model = models.nearest(models.Problem(y, classes=True, several=True, seed=0), "euclidean")
    model.fit(np.eye(3), y)
    shares = model.predict_proba(np.eye(3))
    assert shares[0].tolist() == pytest.approx([1, 1 / 3, 1 / 3])
