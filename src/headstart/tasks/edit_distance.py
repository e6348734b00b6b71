"""How far an answer is from the truth: insertions, deletions and substitutions (Levenshtein)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def distance(truth: Sequence[Any], answer: Sequence[Any]) -> int:
    """The fewest edits that make one of the other (Wagner and Fischer, 1974)."""
    row = list(range(len(answer) + 1))
    for i, right in enumerate(truth, 1):
        before, row[0] = row[0], i
        for j, said in enumerate(answer, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (right != said))
    return row[-1]


def error_rate(truths: Sequence[Sequence[Any]], answers: Sequence[Sequence[Any]]) -> float:
    """Edits over all samples, as a share of all units of the truths; it may exceed 1.

    The word error rate of speech recognition, for whatever the units are.
    """
    edits = sum(distance(t, a) for t, a in zip(truths, answers, strict=True))
    return edits / max(1, sum(len(truth) for truth in truths))
