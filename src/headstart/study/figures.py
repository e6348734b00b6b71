"""What a figure means: whether smaller is better, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass

RATES = ("unit_error_rate", "word_error_rate", "character_error_rate")
ERRORS = ("mse", "rmse", "mae", "loss")
SMALLER = frozenset({"error", "ece", "interval_width", *RATES, *ERRORS})
UNBOUNDED = frozenset({"r2", "interval_width", *ERRORS})

# What figures say of the data and not of the answers: nothing to compare by.
OF_DATA = frozenset(
    {"n", "words", "units", "entities", "labels_per_sample", "labels_never_seen"}
    | {"mean_predictor_mse"}
)


@dataclass(frozen=True)
class Kind:
    """smaller: whether smaller is better; percent: whether it is written as a share of 100."""

    smaller: bool
    percent: bool

    def write(self, value: float | None) -> str:
        """`1.1 %`, or four digits."""
        if value is None:
            return "–"
        if not self.percent:
            return f"{value:.4g}"
        share = 100 * value
        return f"{share:.2f} %" if abs(share) < 1 else f"{share:.1f} %"


def kind_of(metric: str) -> Kind:
    """Of a figure by its name in `result.json`."""
    return Kind(metric in SMALLER, metric not in UNBOUNDED)


def in_words(metric: str) -> str:
    """`macro_f1` → `macro F1`."""
    known = {"macro_f1": "macro F1", "r2": "R²", "rmse": "root mean squared error"}
    known |= {"mse": "mean squared error", "mae": "mean absolute error"}
    known |= {"ece": "calibration error"}
    return known.get(metric, metric.replace("_", " "))


def probability(p: float | None) -> str:
    """`p = 0.002`, `p < 0.001`."""
    if p is None:
        return "no test"
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
