"""Classical models: what a scientist would try before a network, on the same labels.

base: the face, and how one is fitted so that a task's figures can score its answers; models: the
scikit-learn estimators they share; pictures, texts, numbers, series: what each kind of data is
described by. `table` lists them; an entry says which kinds of data it reads.
"""

from importlib.util import find_spec
from typing import Any

from headstart.tables import Table

table = Table(
    "baseline",
    {
        "pixels": (
            "headstart.baselines.pictures:Pixels",
            "logistic or ridge regression on the pixels",
        ),
        "hog": (
            "headstart.baselines.pictures:Gradients",
            "logistic or ridge regression on histograms of oriented gradients",
        ),
        "tfidf": (
            "headstart.baselines.texts:TfIdf",
            "logistic or ridge regression on words and pieces of words, weighted by rarity",
        ),
        "mfcc": (
            "headstart.baselines.recordings:MFCC",
            "a support vector machine on cepstral coefficients",
        ),
        "linear": (
            "headstart.baselines.numbers:Linear",
            "logistic or ridge regression on the columns",
        ),
        "boosting": (
            "headstart.baselines.numbers:Boosting",
            "gradient-boosted trees on the columns",
        ),
        "xgboost": ("headstart.baselines.boosters:XGBoost", "XGBoost, where it is installed"),
        "lightgbm": ("headstart.baselines.boosters:LightGBM", "LightGBM, where it is installed"),
        "steps": (
            "headstart.baselines.series:Steps",
            "logistic or ridge regression on the values of a series",
        ),
        "course": (
            "headstart.baselines.series:Course",
            "gradient-boosted trees on statistics and frequencies of a series",
        ),
        "neighbours": (
            "headstart.baselines.numbers:Neighbours",
            "the nearest labelled samples, by pixels or columns",
        ),
    },
)


def fitting(kind: str) -> list[str]:
    """Names of the baselines that read data of a kind, and whose packages are installed."""
    return [name for name in table if kind in (cls := table.load(name)).kinds and _installed(cls)]


def _installed(cls: Any) -> bool:
    package = getattr(cls, "package", None)
    return package is None or find_spec(package) is not None
