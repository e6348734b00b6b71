import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from headstart.training.probes import RIDGE, TEMPERATURE, Labelled, Probe, draw, neighbours, ridge
from headstart.training.watching import Validation
from samples import backbone, digits, engine, objective


def data():
    x, y = digits()
    z = x.flatten(1).float() / 255
    return z[:300], y[:300], z[300:], y[300:]


def test_ridge_is_scikit_learns():
    z, y, new, _ = data()
    one_hot = torch.nn.functional.one_hot(y).float()
    scaler = StandardScaler().fit(z.numpy())
    scale = np.maximum(np.sqrt(scaler.var_), 1e-6)
    theirs = Ridge(RIDGE * len(z)).fit((z.numpy() - scaler.mean_) / scale, one_hot.numpy())
    expected = theirs.predict((new.numpy() - scaler.mean_) / scale)
    ours = ridge(z.double(), one_hot.double(), new.double()).numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_neighbours_are_scikit_learns():
    z, y, new, _ = data()
    theirs = KNeighborsClassifier(
        20, metric="cosine", weights=lambda distance: np.exp((1 - distance) / TEMPERATURE)
    ).fit(z.numpy(), y.numpy())
    ours = neighbours(z, torch.nn.functional.one_hot(y).float(), new)
    np.testing.assert_allclose(ours.numpy(), theirs.predict_proba(new.numpy()), atol=2e-3)


def test_at_most_a_thousand_labels_are_drawn_and_by_seed():
    rows = np.arange(5_000)[::2]
    assert len(draw(rows, 0)) == 1_000
    assert set(draw(rows, 0)) <= set(rows)
    assert (draw(rows, 0) == draw(rows, 0)).all()
    assert not (draw(rows, 0) == draw(rows, 1)).all()


@pytest.mark.parametrize("kind", ["classes", "fractions"])
def test_a_probe_tells_at_each_validation_and_changes_nothing(kind):
    x, y = digits()
    targets = y.numpy().astype(str) if kind == "classes" else y.numpy() / 9
    finals, told = [], []
    for watchers in ([], [Probe(Labelled(x[:200], targets[:200]))]):
        learner = objective(encoder=backbone("mlp", widths=[32, 16]))
        made = engine(learner, 40, watchers=watchers, validate_every="20 steps")
        made.validation = Validation(lambda: {"loss": 1.0}, "loss", "min")
        made.fit()
        told.append(made.validate())
        finals.append(learner.state_dict())
    assert all(torch.equal(finals[0][k], finals[1][k]) for k in finals[0])
    name = "accuracy" if kind == "classes" else "r2"
    assert set(told[1]) - set(told[0]) == {f"probe_linear_{name}", f"probe_knn_{name}"}
    assert told[1][f"probe_linear_{name}"] > (0.5 if kind == "classes" else 0.2)
