import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import headstart as hs
from waves import waves

SMALL = {"name": "mlp", "widths": [32, 16]}


@pytest.mark.filterwarnings("ignore")  # the checks feed what warns on purpose
@parametrize_with_checks(
    [
        hs.Classifier(steps=30, backbone=SMALL),
        hs.Regressor(steps=120, backbone=SMALL),
        hs.Encoder(steps=5, backbone=SMALL),
    ]
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_a_fitted_encoder_is_a_start():
    digits = load_digits()
    few = np.concatenate([np.flatnonzero(digits.target == c)[:10] for c in range(10)])
    encoder = hs.Encoder(steps=60).fit(digits.images)
    assert encoder.transform(digits.images[:3]).shape[0] == 3
    model = hs.Classifier(start=encoder, steps=80).fit(digits.images[few], digits.target[few])
    assert model.score(digits.images, digits.target) > 0.7


def test_in_a_pipeline_and_a_grid_search():
    digits = load_digits()
    x, y = digits.data[:300], digits.target[:300]
    line = Pipeline(
        [("scale", StandardScaler()), ("encode", hs.Encoder(steps=20, backbone=SMALL)),
         ("answer", LogisticRegression(max_iter=500))]
    )  # fmt: skip
    search = GridSearchCV(line, {"encode__steps": [1, 40]}, cv=2).fit(x, y)
    assert set(search.cv_results_["param_encode__steps"]) == {1, 40}
    assert search.predict(x[:5]).shape == (5,)
    classifier = Pipeline(
        [("scale", StandardScaler()), ("answer", hs.Classifier(backbone=SMALL, steps=1))]
    )
    grid = {"answer__steps": [1, 60], "answer__training": [{"lr": 1e-2}]}
    found = GridSearchCV(classifier, grid, cv=2).fit(x, y)
    assert found.best_params_["answer__steps"] == 60
    assert clone(found.best_estimator_).get_params()["answer__steps"] == 60


def test_frames_of_any_columns_and_texts():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], 120)
    size = rng.normal(size=120)
    frame = pandas.DataFrame({"colour": colour, "size": size})
    wanted = np.where(colour == "red", "stop", "go")
    small = {"name": "tabm", "members": 2, "width": 32, "depth": 1}
    model = hs.Classifier(backbone=small, steps=60, training={"lr": 1e-2}).fit(frame, wanted)
    assert model.score(frame, wanted) > 0.8
    assert list(model.feature_names_in_) == ["colour", "size"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"size": "weight"}))
    numbers = hs.Regressor(backbone=small, steps=2).fit(frame, size * 2)
    assert numbers.predict(frame[:4]).shape == (4,)

    texts = [f"{c} {i}" for i, c in enumerate(colour)]
    small = {"name": "ngram", "width": 16}
    said = hs.Classifier(steps=60, backbone=small, training={"lr": 1e-2}).fit(texts, wanted)
    assert said.score(np.array(texts), wanted) > 0.9
    assert said.predict(pandas.Series(texts[:3])).shape == (3,)


def test_a_classifier_starts_from_a_run_as_from_its_folder(encoder_run):
    x, y = load_digits().images[:40], load_digits().target[:40]
    for start in (encoder_run, encoder_run.path):
        model = hs.Classifier(start=start, steps=1).fit((x * 15).astype(np.uint8), y)
        config = model.run_["config.yaml"].decode()
        assert f"start: {encoder_run.path}" in config


def test_samples_without_a_class_teach_too():
    """As scikit-learn's semi-supervised estimators have it, or given apart."""
    digits = load_digits()
    x, y = (digits.images[:150] * 15.9).astype(np.uint8), digits.target[:150]
    half = np.where(np.arange(150) % 2, -1, y)
    pictures = hs.Classifier(steps=2, backbone=SMALL).fit(x, half)
    assert pictures.classes_.tolist() == list(range(10))
    assert b"unlabelled: self-train" in pictures.run_["config.yaml"]
    assert b'"labels": 75' in pictures.run_["result.json"]
    assert b'"unlabelled": 75' in pictures.run_["result.json"]
    rows = x.reshape(150, -1).astype(np.float32)
    named = np.array(["even", "odd"])[y % 2]
    apart = hs.Classifier(steps=2, backbone=SMALL, set={"vat.radius": 0.5})
    apart.fit(rows[:60], named[:60], unlabelled=rows[60:])
    assert b"unlabelled: vat" in apart.run_["config.yaml"]
    assert b"radius: 0.5" in apart.run_["config.yaml"]
    assert b'"unlabelled": 90' in apart.run_["result.json"]
    assert set(apart.predict(rows)) <= {"even", "odd"}
    signs = hs.Classifier(steps=2, backbone=SMALL).fit(rows, np.where(y % 2, 1, -1))
    assert signs.classes_.tolist() == [-1, 1]


def test_rows_with_labels_of_few_learn_more_from_the_others():
    """Two rings of which four points are labelled: the others say where the border runs."""
    from sklearn.datasets import make_moons

    x, y = make_moons(400, noise=0.05, random_state=0)
    few = np.concatenate([np.flatnonzero(y == c)[:3] for c in (0, 1)])
    known = np.full(400, -1)
    known[few] = y[few]
    how = {"steps": 300, "backbone": {"name": "mlp", "widths": [64, 64]}, "training": {"lr": 1e-2}}
    alone = hs.Classifier(**how).fit(x[few], y[few]).score(x, y)
    with_others = hs.Classifier(**how, set={"vat.radius": 0.2}).fit(x, known).score(x, y)
    assert with_others > alone


def test_series_and_files(tmp_path):
    from PIL import Image

    x, y = waves(30)
    small = {"name": "tcn", "width": 8}
    series = hs.Classifier(kind="series", steps=2, backbone=small).fit(x, y)
    assert b"name: series" in series.run_["config.yaml"]
    assert series.predict(x[:4]).shape == (4,)
    some = np.where(np.arange(30) % 3, y, -1)
    others = hs.Classifier(kind="series", steps=2, backbone=small).fit(x, some)
    assert b"unlabelled: self-train" in others.run_["config.yaml"]
    paths = [tmp_path / f"{i}.png" for i in range(30)]
    for path, pixels in zip(paths, load_digits().images, strict=False):
        Image.fromarray((pixels * 15.9).astype(np.uint8)).save(path)
    encoder = hs.Encoder(steps=1, backbone=SMALL).fit(paths)
    assert encoder.transform(paths[:3]).shape == (3, 16)
