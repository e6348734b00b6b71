"""Intervals and tests against scipy, statsmodels' textbook values, and curves with known answers."""

import numpy as np
import pytest
from scipy import stats

from headstart.study.statistics import holm, mean_of, paired, signed_rank, worth


def test_interval_is_students():
    values = [0.1, 0.2, 0.25, 0.4]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    found = mean_of(values)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert mean_of([0.3]).low is None


def test_paired_tests_are_scipys():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=9), rng.normal(0.5, size=9)
    found = paired(one.tolist(), other.tolist())
    assert found.p == pytest.approx(stats.ttest_rel(one, other).pvalue)
    assert found.signed_rank == pytest.approx(stats.wilcoxon(one, other, method="exact").pvalue)
    assert signed_rank([0.0, 0.0]) == 1.0
    assert signed_rank([1.0, 2.0, 3.0]) == 0.25  # the least that three draws can give


def test_equal_differences_are_no_proof():
    assert paired([0.1, 0.2], [0.1, 0.2]).p == 1.0
    assert paired([0.1, 0.2], [0.2, 0.3]).p == pytest.approx(0.5, abs=0.5)


def test_holms_own_example():
    # Step down: 4 · 0.005, 3 · 0.01, then never less than before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_false_alarms_are_as_rare_as_promised():
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(400):
        ps = [paired(rng.normal(size=5).tolist(), rng.normal(size=5).tolist()).p for _ in range(3)]
        alarms += min(holm(ps)) < 0.05
    assert alarms / 400 < 0.08


def test_worth_of_labels_on_a_line_over_the_logarithm():
    counts, curve = [10, 100, 1000], [0.5, 0.3, 0.1]
    assert worth(counts, curve, 0.2, smaller=True).labels == pytest.approx(10**2.5)
    assert worth(counts, [-c for c in curve], -0.2, smaller=False).labels == pytest.approx(10**2.5)
    assert worth(counts, curve, 0.05, smaller=True).side == "more"
    assert worth(counts, curve, 0.6, smaller=True).side == "fewer"
    # More labels are not taken to be worse: the dip at 100 counts from there on.
    assert worth(counts, [0.5, 0.1, 0.3], 0.1, smaller=True).labels == pytest.approx(100)


def test_rounding_errors_make_no_ranks():
    """Of 0.01 four times over, which floating point makes two numbers: all ranks tie."""
    ones, others = [0.91, 0.81, 0.77, 0.34], [0.9, 0.8, 0.76, 0.35]
    assert len({abs(a - b) for a, b in zip(ones, others, strict=True)}) == 2
    found = paired(ones, others)
    assert found.signed_rank == pytest.approx(signed_rank([1, 1, 1, -1])) == 10 / 16
    same = paired([0.1 + 0.2, 0.5], [0.3, 0.5])
    assert (same.difference, same.p, same.signed_rank) == (0.0, 1.0, 1.0)
