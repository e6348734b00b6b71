"""Means over draws with their intervals, paired tests, and how many labels are worth as much."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
MOST_ENUMERATED = 14  # draws whose signs are all tried
EXACT = 1e-12  # share of a figure below which a difference is a rounding error


@dataclass(frozen=True)
class Mean:
    """A mean over draws and its 95 % confidence interval (Student's); None with one draw."""

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Paired:
    """A method less another on the same draws: the mean difference, its interval, two tests.

    p: of the paired t test; signed_rank: of Wilcoxon's signed-rank test, exact; adjusted: p after
    Holm's correction for the comparisons made together.
    """

    difference: float
    low: float | None
    high: float | None
    n: int
    p: float | None
    signed_rank: float | None
    adjusted: float | None = None


def mean_of(values: Sequence[float]) -> Mean:
    """The mean of `values`, one a draw."""
    array = np.asarray(values, dtype=np.float64)
    mean, n = float(array.mean()), len(array)
    if n < 2:
        return Mean(mean, None, None, n)
    half = _half(array)
    return Mean(mean, mean - half, mean + half, n)


def paired(one: Sequence[float], other: Sequence[float]) -> Paired:
    """`one` less `other`, draw by draw."""
    ours, theirs = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    difference = ours - theirs
    difference[np.abs(difference) <= EXACT * np.maximum(np.abs(ours), np.abs(theirs))] = 0.0
    mean, n = float(difference.mean()), len(difference)
    if n < 2:
        return Paired(mean, None, None, n, None, None)
    spread = float(difference.std(ddof=1))
    if spread <= EXACT * float(np.abs(difference).max()):
        # No test of means says anything: each sign may be chance.
        p = 1.0 if mean == 0 else 0.5 ** (n - 1)
    else:
        p = float(stats.ttest_1samp(difference, 0.0).pvalue)
    half = _half(difference)
    return Paired(mean, mean - half, mean + half, n, p, signed_rank(difference.tolist()))


def signed_rank(differences: Sequence[float]) -> float:
    """Wilcoxon's two-sided p (1945), exact up to 14 draws; equal pairs are left out."""
    array = np.array([d for d in differences if d != 0.0])
    if len(array) == 0:
        return 1.0
    # Figures are counts over the samples of a test: differences that are alike must tie, though
    # floating point makes of 0.91 - 0.90 and 0.81 - 0.80 two numbers.
    array = np.round(array / np.abs(array).max(), 9)
    if len(array) > MOST_ENUMERATED:
        return float(stats.wilcoxon(array, method="approx").pvalue)
    ranks = stats.rankdata(np.abs(array))
    middle = ranks.sum() / 2
    seen = abs(float(ranks[array > 0].sum()) - middle)
    signs = np.array(list(itertools.product((0, 1), repeat=len(array))))  # [2^n, n]
    return float((np.abs(signs @ ranks - middle) >= seen - 1e-9).mean())


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): the chance of one false alarm among all stays 5 %."""
    order = np.argsort(ps)
    adjusted = np.empty(len(ps))
    largest = 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1.0, (len(ps) - place) * ps[i]))
        adjusted[i] = largest
    return adjusted.tolist()


@dataclass(frozen=True)
class Worth:
    """Labels with which a curve reaches a figure; None where it lies outside what was measured.

    side: "" within the curve, "more" beyond its end, "fewer" before its beginning.
    """

    labels: float | None
    side: str = ""


def worth(counts: Sequence[int], curve: Sequence[float], figure: float, *, smaller: bool) -> Worth:
    """Where a curve over label counts reaches `figure`.

    Between two counts the curve is a straight line over the logarithm of the labels. It is made
    monotone first: more labels are not taken to be worse than fewer.

    counts: ascending; curve: means; smaller: whether smaller figures are better.
    """
    sign = 1.0 if smaller else -1.0
    falling = np.minimum.accumulate(sign * np.asarray(curve, dtype=np.float64))
    wanted = sign * figure
    if wanted >= falling[0]:
        return Worth(float(counts[0]) if wanted == falling[0] else None, "fewer")
    if wanted < falling[-1]:
        return Worth(None, "more")
    logs = np.log(np.asarray(counts, dtype=np.float64))
    at = int(np.argmax(falling <= wanted))  # the first count that is as good
    above, below = falling[at - 1], falling[at]
    share = 0.0 if above == below else (above - wanted) / (above - below)
    return Worth(math.exp(logs[at - 1] + share * (logs[at] - logs[at - 1])))


def _half(array: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Half the width of the interval about the mean."""
    n = len(array)
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * array.std(ddof=1) / math.sqrt(n))
