import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks

import headstart as hs

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
    encoder = hs.Encoder(steps=150).fit(digits.images)
    assert encoder.transform(digits.images[:3]).shape[0] == 3
    model = hs.Classifier(start=encoder, steps=150).fit(digits.images[few], digits.target[few])
    assert model.score(digits.images, digits.target) > 0.7
