"""What a comparison says, in words.

A difference is said to be one where the paired t test over draws, corrected by Holm for all
fine-tuned comparisons of the study, puts it below 5 %. Everything else 'makes no difference that
so many draws could show': never more than that. Where the mean is better by a share worth having,
'does not help' would be more than is known: it is not shown to help, and more draws could tell.
What is read off means alone is said to be so.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any, Literal

from headstart.study.figures import in_words, kind_of, probability

ALPHA = 0.05
WORTH_HAVING = 0.05  # of the figure from scratch; a mean gain of less is as good as none
Outcome = Literal["helps", "hurts", "same", "untested"]


def verdict(found: dict[str, Any]) -> dict[str, Any]:
    """`helps`: whether any pre-training did; `headline`; `sentences`; `by_method`: each outcome."""
    names = [m["name"] for m in found["methods"] if m["way"] == "fine-tuned"]
    outcomes = {name: _outcomes(found, name) for name in names}
    main = {name: _about(found, name, outcomes[name]) for name in names}
    helping = [n for n in names if "helps" in [o for _, o in outcomes[n]]]
    ranked = sorted(helping, key=lambda n: _gain(found, n, outcomes[n]), reverse=True)
    rest = [n for n in names if n not in ranked]
    sentences = [main[name] for name in [*ranked, *rest]]
    if not names:
        headline = "Nothing was pre-trained: name an objective, or a run with --from."
    elif ranked:
        headline = sentences.pop(0)
    elif all(o == "untested" for name in names for _, o in outcomes[name]):
        headline = "One draw of labels tells nothing about the others: no test was made."
    elif len(names) == 1:
        headline = sentences.pop(0)
    elif any(_better_unshown(found, name, outcomes[name]) for name in names):
        headline = "Pre-training is not shown to help here; more draws (--seeds) could tell."
    else:
        headline = "Pre-training does not help here."
    sentences += [*_worths(found, ranked), *_probes(found, names), *_rivals(found)]
    return {
        "helps": bool(ranked),
        "headline": headline,
        "sentences": sentences,
        "by_method": {
            name: [{"labels": n, "outcome": o} for n, o in outcomes[name]] for name in names
        },
    }


def _outcomes(found: dict[str, Any], name: str) -> list[tuple[int, Outcome]]:
    """For each number of labels, ascending, what pre-training does."""
    result: list[tuple[int, Outcome]] = []
    for point in found["labels"]:
        one = _comparison(found, name, point["asked"])
        if one is None:
            continue
        outcome: Outcome = "same"
        if one["adjusted"] is None:
            outcome = "untested"
        elif one["adjusted"] < ALPHA:
            better = (one["difference"] < 0) is found["smaller_is_better"]
            outcome = "helps" if better else "hurts"
        result.append((point["labels"], outcome))
    return result


def _comparison(found: dict[str, Any], name: str, asked: int | str) -> dict[str, Any] | None:
    for one in found["comparisons"]:
        if one["method"] == name and one["asked"] == asked:
            return dict(one)
    return None


def _point(found: dict[str, Any], name: str, labels: int) -> dict[str, Any]:
    method = next(m for m in found["methods"] if m["name"] == name)
    return dict(next(p for p in method["points"] if p["labels"] == labels))


def _about(found: dict[str, Any], name: str, outcomes: list[tuple[int, Outcome]]) -> str:
    """One sentence on a way to pre-train."""
    kinds = {outcome for _, outcome in outcomes}
    if not outcomes:
        return f"Nothing is known of {name} yet."
    if kinds == {"untested"}:
        parts = ", ".join(_change(found, name, n, "untested") for n, _ in outcomes)
        return f"Pre-training by {name}: {parts}."
    if not kinds & {"helps", "hurts"}:
        parts = "; ".join(_change(found, name, n, "same") for n, _ in outcomes)
        if better := _better_unshown(found, name, outcomes):
            where = f" with {_and(better)} labels" if len(better) < len(outcomes) else ""
            return (
                f"Pre-training by {name} is not shown to help here: {parts}. Its mean is better"
                f"{where}; more draws (--seeds) could tell."
            )
        return f"Pre-training by {name} does not help here: {parts}."
    if "helps" not in kinds:
        parts = "; ".join(_change(found, name, n, o) for n, o in outcomes if o == "hurts")
        return f"Pre-training by {name} does not help here, it harms: {parts}."
    changes = [_change(found, name, n, o) for n, o in outcomes if o in ("helps", "hurts")]
    if same := _stretches(outcomes):
        changes.append(f"{same} it makes no difference that {_draws(found)} could show")
    return f"Pre-training by {name} helps: {'; '.join(changes)}."


def _better_unshown(
    found: dict[str, Any], name: str, outcomes: list[tuple[int, Outcome]]
) -> list[int]:
    """Labels with which the mean is better by what is worth having, though not shown to be."""
    return [
        labels
        for labels, outcome in outcomes
        if outcome == "same" and _relative_gain(found, name, labels) >= WORTH_HAVING
    ]


def _and(counts: list[int]) -> str:
    """`10`, `10 and 1,000`, `10, 100 and 1,000`."""
    *most, last = [f"{n:,}" for n in counts]
    return f"{', '.join(most)} and {last}" if most else last


def _stretches(outcomes: list[tuple[int, Outcome]]) -> str:
    """`from 3,000 labels on`, `up to 30 labels`, `with 100 labels`: where nothing changes."""
    said = []
    groups = [(o, [n for n, _ in part]) for o, part in groupby(outcomes, key=lambda pair: pair[1])]
    for place, (outcome, counts) in enumerate(groups):
        if outcome != "same":
            continue
        if place == len(groups) - 1:
            said.append(f"from {counts[0]:,} labels on")
        elif place == 0 and len(counts) > 1:
            said.append(f"up to {counts[-1]:,} labels")
        else:
            said += [f"with {n:,} labels" for n in counts]
    return " and ".join(said)


def _change(found: dict[str, Any], name: str, labels: int, outcome: Outcome) -> str:
    """`with 100 labels it cuts the error from 9.8 % to 1.1 % (5 draws, p = 0.002)`."""
    kind, metric = kind_of(found["metric"]), in_words(found["metric"])
    method = next(m for m in found["methods"] if m["name"] == name)
    here, there = _point(found, name, labels), _point(found, method["twin"], labels)
    one = _comparison(found, name, here["asked"])
    assert one is not None
    now, before = kind.write(here["mean"]), kind.write(there["mean"])
    tested = f"({_draws(found, one['n'])}, {probability(one['adjusted'])})"
    if outcome in ("same", "untested"):
        return f"with {labels:,} labels the {metric} is {now} against {before} {tested}"
    falls = one["difference"] < 0
    better = falls is found["smaller_is_better"]
    verb = ("cuts" if better else "lowers") if falls else "raises"
    return f"with {labels:,} labels it {verb} the {metric} from {before} to {now} {tested}"


def _draws(found: dict[str, Any], n: int | None = None) -> str:
    n = found["seeds"] if n is None else n
    return f"{n} draw{'s' if n > 1 else ''}"


def _gain(found: dict[str, Any], name: str, outcomes: list[tuple[int, Outcome]]) -> float:
    """How large the change is where it helps, summed as a share of the twin's figure."""
    helped = [labels for labels, outcome in outcomes if outcome == "helps"]
    return sum(_relative_gain(found, name, labels) for labels in helped)


def _relative_gain(found: dict[str, Any], name: str, labels: int) -> float:
    """How much better the mean is than the twin's, as a share of that."""
    one = _comparison(found, name, _point(found, name, labels)["asked"])
    method = next(m for m in found["methods"] if m["name"] == name)
    base = abs(_point(found, method["twin"], labels)["mean"]) or 1.0
    if one is None:
        return 0.0
    better = -one["difference"] if found["smaller_is_better"] else one["difference"]
    return float(better) / base


def _worths(found: dict[str, Any], names: list[str]) -> list[str]:
    """How many labels scratch would have needed; of the best way to pre-train alone."""
    said = []
    for one in found["worth"]:
        if not names or one["method"] != names[0]:
            continue
        outcome = dict(_outcomes(found, one["method"])).get(one["labels"])
        if outcome != "helps":
            continue
        said.append(f"{one['labels']:,} labels {in_labels(one)}")
    if not said:
        return []
    return [
        f"After pre-training by {names[0]}, " + "; ".join(said)
        + " (between the numbers measured, a straight line over the logarithm of the labels)."
    ]  # fmt: skip


def in_labels(one: dict[str, Any]) -> str:
    """`are worth about 850 from scratch (620 to 1,100)`."""
    middle, low, high = one["as_many"], one["from"], one["to"]
    first, last = one["measured"]
    if middle["side"] == "more":
        return f"are worth more than {last:,} from scratch, the most that were measured"
    if middle["labels"] is None:
        return f"are worth fewer than {first:,} from scratch"

    def end(side: dict[str, Any]) -> str:
        if side["labels"] is not None:
            return f"{_rounded(side['labels']):,}"
        return {"more": f"more than {last:,}", "fewer": f"fewer than {first:,}"}.get(
            side["side"], "unknown"
        )

    return (
        f"are worth about {_rounded(middle['labels']):,} from scratch ({end(low)} to {end(high)})"
    )


def _rounded(labels: float) -> int:
    """Two digits: more would be pretence."""
    size = 10 ** max(0, len(str(int(labels))) - 2)
    return int(round(labels / size) * size)


def _probes(found: dict[str, Any], names: list[str]) -> list[str]:
    """Where a frozen encoder does better than the same fine-tuned."""
    said = []
    for name in names:
        for point in found["labels"]:
            beside = [
                m for m in found["methods"] if m["source"] and m["twin"] and m["name"] != name
                and m["source"] == name and m["way"] != "fine-tuned"
            ]  # fmt: skip
            best = _best(found, [m["name"] for m in beside], point["labels"])
            mine = _best(found, [name], point["labels"])
            if best and mine and _better(found, best[1], mine[1]):
                kind = kind_of(found["metric"])
                said.append(
                    f"with {point['labels']:,} labels {best[0]} gives {kind.write(best[1])},"
                    f" fine-tuning {kind.write(mine[1])}"
                )
    if not said:
        return []
    return [f"By the means alone, untested: a frozen encoder does better: {'; '.join(said)}."]


def _rivals(found: dict[str, Any]) -> list[str]:
    """Where a classical model is better than every network."""
    classical = [m["name"] for m in found["methods"] if m["way"] == "baseline"]
    networks = [m["name"] for m in found["methods"] if m["way"] != "baseline"]
    kind, said = kind_of(found["metric"]), []
    for point in found["labels"]:
        best, other = (_best(found, part, point["labels"]) for part in (classical, networks))
        if best and other and _better(found, best[1], other[1]):
            said.append(
                f"with {point['labels']:,} labels {best[0]} gives {kind.write(best[1])}, the best"
                f" network ({other[0]}) {kind.write(other[1])}"
            )
    if not said:
        return []
    return [f"By the means alone, untested: a classical model does best: {'; '.join(said)}."]


def _best(found: dict[str, Any], names: list[str], labels: int) -> tuple[str, float] | None:
    means = {n: _point(found, n, labels)["mean"] for n in names}
    there = {n: m for n, m in means.items() if m is not None}
    if not there:
        return None
    pick = min if found["smaller_is_better"] else max
    name = pick(there, key=lambda n: there[n])
    return name, there[name]


def _better(found: dict[str, Any], one: float, other: float) -> bool:
    return one < other if found["smaller_is_better"] else one > other
