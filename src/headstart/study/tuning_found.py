"""What a search found, as its `result.json` holds it: what varied, and every trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headstart.study import tuning_spaces as spaces
from headstart.study.tuning_spaces import NONE, Choice, Knob
from headstart.study.tuning_trial import TIMES

if TYPE_CHECKING:
    import optuna

    from headstart.study.tuning_journal import Journal

STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "fail", "RUNNING": "running"}


def counts(trials: Sequence[optuna.trial.FrozenTrial]) -> dict[str, int]:
    """How many trials ended in which way."""
    return {name: sum(t.state.name == s for t in trials) for s, name in STATES.items()}


def varied(knobs: Sequence[Knob], importance: Mapping[str, float]) -> list[dict[str, Any]]:
    """Each setting that varied: its range, its default, and its share of what trials differ by."""
    found = []
    for knob in knobs:
        range_ = knob.range
        if isinstance(range_, Choice):
            held: dict[str, Any] = {"values": list(range_.values)}
        else:
            held = {"low": range_.low, "high": range_.high, "log": range_.log}
        default = {} if knob.default is NONE else {"default": knob.default}
        about = {"name": knob.name, "share": knob.share, "importance": importance.get(knob.name)}
        found.append({**about, **held, **default})
    return found


def tried(
    journal: Journal, folds: int, changes: Callable[[dict[str, Any]], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Every trial that began, in order. changes: parameters → the settings that they changed.

    reached: of one that was ended early, the share of its training it had, and its figure there.
    """
    found = []
    for t in journal.trials():
        if t.state.name not in STATES:
            continue
        marks = t.intermediate_values
        last = max(marks, default=None)
        reached = None if last is None else {"share": last / (TIMES * folds), "value": marks[last]}
        whole = len(t.params) == len(journal.knobs)  # or it was killed as it began
        found.append(
            {
                "number": t.number,
                "state": STATES[t.state.name],
                "value": t.value,
                "seconds": t.user_attrs.get("seconds", 0.0),
                "why": t.user_attrs.get("why", ""),
                "reached": reached,
                "values": journal.values(t.params),
                "changed": dict(spaces.leaves(changes(t.params))) if whole else {},
            }
        )
    return found
