"""Entities that tags mark over words, counted as the shared tasks of CoNLL count them.

The rules are those of the tasks' `conlleval` for IOB tags, and of IOBES beside it: an entity begins
at B- and S-, at I- or E- after another kind or after none, and ends before the next one begins, at
O, at S- and after E-.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Entity = tuple[int, int, int, str]
"""Number of the sample, first word, last word, kind."""


def found_in(tagged: Sequence[Sequence[str]]) -> set[Entity]:
    """All entities of samples' tags."""
    return {(i, *span) for i, tags in enumerate(tagged) for span in spans(tags)}


def spans(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """First word, last word and kind of each entity, in order."""
    first, kind = None, ""
    closed = True  # whether the entity before cannot go on
    for i, tag in enumerate(tags):
        mark, _, of = tag.partition("-")
        inside = mark in ("B", "I", "E", "S")
        begins = inside and (mark in ("B", "S") or closed or of != kind)
        if first is not None and (begins or not inside):
            yield first, i - 1, kind
            first = None
        if begins:
            first, kind = i, of
        closed = not inside or mark in ("E", "S")
    if first is not None:
        yield first, len(tags) - 1, kind


def precision_recall_f1(truth: set[Entity], answers: set[Entity]) -> dict[str, float]:
    """Over all entities together; 0 where there is nothing to divide by."""
    right = len(truth & answers)
    return {
        "precision": right / len(answers) if answers else 0.0,
        "recall": right / len(truth) if truth else 0.0,
        "f1": 2 * right / (len(truth) + len(answers)) if truth or answers else 0.0,
    }
