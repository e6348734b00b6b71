"""Each detector fires on figures gone wrong and is silent on healthy ones."""

import numpy as np
import pytest

from headstart.training import detectors

RNG = np.random.default_rng(0)
FALLING = [2.3 * 0.9**i + 0.1 + 0.02 * RNG.normal() for i in range(40)]
HEALTHY = {
    "embedding_width": 64, "dead_units": 2, "embedding_spread": 0.6, "effective_rank_centred": 20.0,
}  # fmt: skip


def silent_throughout(detector, series):
    return all(detector(series[: i + 1]) is None for i in range(len(series)))


@pytest.mark.parametrize(
    "losses",
    [
        [1.0, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0],
        [2.3, 1.5, 0.8, 0.3, 0.2, 2.0, 2.1, 2.2],  # it had learned, and lost it
        [-0.1, -0.5, -0.9, -0.9, 0.5, 0.6, 0.7],  # losses may be negative
    ],
)
def test_divergence_is_seen(losses):
    assert "rose" in detectors.divergence(losses).message


@pytest.mark.parametrize(
    "losses", [FALLING, [1.0] * 30, [0.7 + 0.02 * RNG.normal() for _ in range(40)],
               [-x for x in FALLING[::-1]]],
)  # fmt: skip
def test_falling_flat_and_noisy_losses_do_not_diverge(losses):
    assert silent_throughout(detectors.divergence, losses)


def test_gradient_explosion():
    usual = [1.0 + 0.3 * RNG.random() for _ in range(20)]
    assert silent_throughout(detectors.explosion, usual)
    assert silent_throughout(detectors.explosion, [30 * x for x in usual[:3]] + usual)
    assert "clip" in detectors.explosion([*usual, 500.0]).advice


def test_trivial_answers_are_named_by_what_they_are():
    said = detectors.trivial_answer(0.0676, 0.0676, 0.5, reconstructs=True)
    assert said.name == "average answer"
    said = detectors.trivial_answer(2.30, 2.303, 0.5, reconstructs=False)
    assert said.name == "plateau"
    assert detectors.trivial_answer(2.30, 2.303, 0.1, reconstructs=False) is None
    assert detectors.trivial_answer(1.5, 2.303, 1.0, reconstructs=False) is None


def test_standstill():
    assert detectors.standstill([2.3, 2.301, 2.299, 2.3, 2.3, 2.3], 0.5).name == "plateau"
    assert detectors.standstill([2.3] * 6, 0.1) is None
    assert detectors.standstill(FALLING, 0.5) is None


@pytest.mark.parametrize(
    ("figures", "name"),
    [
        ({"dead_units": 64}, "collapse"),
        ({"embedding_spread": 1e-5}, "collapse"),
        ({"effective_rank_centred": 1.2}, "dimensional collapse"),
        ({"dead_units": 30}, "dead units"),
    ],
)
def test_embeddings_gone_wrong(figures, name):
    wrong = {**HEALTHY, **figures}
    found = [detectors.collapse(wrong), detectors.low_rank(wrong, 1.0),
             detectors.dead_units(wrong, {})]  # fmt: skip
    assert [f.name for f in found if f] == [name]


def test_healthy_embeddings_and_layers():
    assert detectors.collapse(HEALTHY) is None
    assert detectors.low_rank(HEALTHY, 1.0) is None
    assert detectors.dead_units(HEALTHY, {"stem.2": (3, 32)}) is None
    assert "stem.2" in detectors.dead_units(HEALTHY, {"a": (0, 8), "stem.2": (20, 32)}).message


def test_overfitting_names_the_best_epoch():
    train = [1.0, 0.7, 0.5, 0.3, 0.2, 0.1]
    worse = [(i, t, v) for i, (t, v) in
             enumerate(zip(train, [1.0, 0.8, 0.9, 1.0, 1.1, 1.2], strict=True))]  # fmt: skip
    assert "epoch 1.0" in detectors.overfitting(worse).message
    assert silent_throughout(detectors.overfitting, [(i, t, t + 0.2) for i, t in enumerate(train)])
    # Both rise: that is divergence; a single bad validation is noise.
    rising = [(i, t, t) for i, t in enumerate(reversed(train))]
    assert detectors.overfitting(rising) is None
    noise = [(0, 1.0, 1.0), (1, 0.7, 0.8), (2, 0.5, 1.2), (3, 0.3, 0.75), (4, 0.2, 0.74)]
    assert silent_throughout(detectors.overfitting, noise)
