"""Texts without a network: which words and pieces of words they hold."""

from __future__ import annotations

from typing import Any, ClassVar

from headstart.baselines.models import Problem, linear
from headstart.data.dataset import Samples
from headstart.modalities.base import Modality

MOST_FEATURES = 50_000


class TfIdf:
    """Words, pairs of words, and pieces of 2 to 5 letters, weighted by how rare they are.

    The pieces make it fit for scripts that write no spaces, and for misspelt words.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"text"})

    def features(self, samples: Samples, modality: Modality) -> list[str]:  # noqa: ARG002 - the face
        """The texts."""
        texts: list[str] = samples.inputs.tolist()  # type: ignore[union-attr]
        return texts

    def estimator(self, problem: Problem) -> Any:
        """Regression on both descriptions side by side."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_union

        words = TfidfVectorizer(
            ngram_range=(1, 2), sublinear_tf=True, max_features=MOST_FEATURES,
            token_pattern=r"(?u)\b\w+\b",
        )  # fmt: skip
        pieces = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, max_features=MOST_FEATURES
        )
        return linear(problem, make_union(words, pieces))
