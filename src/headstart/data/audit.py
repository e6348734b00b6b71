"""What is in a data set and what is wrong with it: `headstart inspect`.

audit: the findings as plain data; advise: what follows from them, in sentences; text: all of it
for a person to read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data import pictures, recordings
from headstart.data.arrays import as_grey
from headstart.data.cells import is_table
from headstart.data.columns import constant, described, meanings
from headstart.data.dataset import Dataset, Samples
from headstart.data.duplicates import Pair, describe, pairs, same_rows
from headstart.data.files import Files, Unreadable
from headstart.data.series import pieces, steps

SHOWN = 5  # examples of each finding
HASHED = 256  # numbers that a text's runs of characters are hashed to, to be compared
COURSE = 128  # steps at which series are compared
SIDE = 16  # pixels a side of the small pictures that are compared
UNBALANCED = 10.0  # the largest class has so many times the smallest one's samples


def audit(dataset: Dataset, *, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Count and compare every sample of every split; nothing is changed, no bad file stops it.

    Returns plain data: `source`, `kind`, `splits` {name: counts, classes, sizes, bad},
    `duplicates` {exact, near, leaks, conflicts: {count, examples}}, `advice`.
    """
    splits: dict[str, Any] = {}
    small, names, parts, labels = [], [], [], []
    for name, samples in dataset.splits.items():
        say(f"reading {len(samples):,} samples of {name}")
        described, rows, bad = _read(dataset.kind, samples)
        splits[name] = {**_counts(samples), **_shape(dataset.kind, samples), "bad": bad}
        small.append(described)
        names += [samples.name(int(i)) for i in rows]
        parts += [name] * len(rows)
        labels += _labels(samples, rows)
    say("comparing them")
    if is_table(dataset.train.inputs):
        found = same_rows([np.asarray(samples.inputs) for samples in dataset.splits.values()])
    else:
        found = pairs(describe(np.concatenate(small), centre=dataset.kind != "table"))
    result: dict[str, Any] = {
        "source": dataset.source,
        "kind": dataset.kind,
        "splits": splits,
        "duplicates": _judge(found, names, parts, labels),
        "notes": dataset.notes,
    }
    result["advice"] = advise(result)
    return result


def _read(
    kind: str, samples: Samples
) -> tuple[NDArray[np.float32], NDArray[np.intp], list[dict[str, str]]]:
    """Samples as rows of numbers to compare, which samples they are, and those unreadable."""
    rows = np.arange(len(samples))
    if kind == "text":
        return _read_texts(samples)
    if is_table(samples.inputs):
        return np.zeros((len(samples), 0), np.float32), rows, []
    if kind == "series":
        return _read_series(samples)
    if isinstance(samples.inputs, np.ndarray):
        array = samples.inputs if kind == "table" else as_grey(samples.inputs)
        return array.reshape(len(array), -1).astype(np.float32), rows, []
    assert isinstance(samples.inputs, Files)
    if kind == "audio":
        array, reasons = recordings.sketches(samples.inputs, SIDE)
    else:
        array, reasons = pictures.read_all(samples.inputs, "L", (SIDE, SIDE))
    bad = [{"name": str(samples.inputs[i]), "reason": reason} for i, reason in reasons.items()]
    good = np.setdiff1d(rows, list(reasons))
    return array.reshape(len(array), -1).astype(np.float32)[good], good, bad


def _read_texts(
    samples: Samples,
) -> tuple[NDArray[np.float32], NDArray[np.intp], list[dict[str, str]]]:
    """Texts as counts of runs of three characters, hashed."""
    from sklearn.feature_extraction.text import HashingVectorizer

    texts: list[str] = np.asarray(samples.inputs).tolist()
    there = np.array([bool(text.strip()) for text in texts])
    bad = [{"name": samples.name(int(i)), "reason": "no text"} for i in np.flatnonzero(~there)]
    runs = HashingVectorizer(
        analyzer="char", ngram_range=(3, 3), n_features=HASHED, norm=None, dtype=np.float32
    )
    counts = runs.transform([text for text, is_text in zip(texts, there, strict=True) if is_text])
    return counts.toarray(), np.flatnonzero(there), bad


def _read_series(
    samples: Samples,
) -> tuple[NDArray[np.float32], NDArray[np.intp], list[dict[str, str]]]:
    """Series of `[N, C, T]` at so many steps, each stretched to them."""
    courses, ends = [], []
    for series in pieces(samples.inputs):
        end = steps(series)
        place = (np.linspace(0, 1, COURSE) * np.maximum(end[:, None] - 1, 0)).round()
        course = np.take_along_axis(np.nan_to_num(series), place[:, None].astype(np.intp), axis=2)
        courses.append(course.reshape(len(series), -1)[end >= 2])
        ends.append(end)
    counts = np.concatenate(ends)
    short, good = np.flatnonzero(counts < 2), np.flatnonzero(counts >= 2)
    bad = [{"name": samples.name(int(i)), "reason": f"{counts[i]} steps"} for i in short]
    return np.concatenate(courses), good, bad


def _counts(samples: Samples) -> dict[str, Any]:
    known = samples.has_label
    counts: dict[str, Any] = {"samples": len(samples), "labelled": int(known.sum())}
    if samples.targets is None or not known.any():
        return counts
    targets = samples.targets[known]
    if targets.dtype.kind == "f" and len(np.unique(targets)) > 20:
        figures = (("min", targets.min()), ("mean", targets.mean()), ("max", targets.max()))
        return {**counts, "target": {name: float(value) for name, value in figures}}
    classes, sizes = np.unique(targets, return_counts=True)
    return {
        **counts,
        "classes": {str(c): int(n) for c, n in zip(classes.tolist(), sizes.tolist(), strict=True)},
    }


def _shape(kind: str, samples: Samples) -> dict[str, Any]:
    if kind == "text":
        lengths = np.array([len(text) for text in samples.inputs])  # type: ignore[arg-type, union-attr]
        figures = {"mean": float(lengths.mean()), "longest": int(lengths.max())}
        return {"characters": figures}
    if is_table(samples.inputs):
        return _columns(np.asarray(samples.inputs))
    if kind == "series":
        return _courses(samples)
    if isinstance(samples.inputs, np.ndarray):
        array = samples.inputs
        shape: dict[str, Any] = {"shape": list(array.shape[1:])}
        if kind == "table":
            shape["constant_columns"] = int((array.max(axis=0) == array.min(axis=0)).sum())
        return shape
    if kind == "audio":
        return _recorded(samples)
    assert isinstance(samples.inputs, Files)
    sizes: Counter[str] = Counter()
    for path in samples.inputs:
        try:
            width, height, mode = pictures.probe(path)
        except Unreadable:
            continue
        sizes[f"{width}×{height} {mode}"] += 1
    return {"sizes": dict(sizes.most_common(SHOWN)), "different_sizes": len(sizes)}


def _columns(table: NDArray[Any]) -> dict[str, Any]:
    found = {name: described(meaning, table[name]) for name, meaning in meanings(table).items()}
    return {"columns": found, "constant_columns": len(constant(table))}


def _recorded(samples: Samples) -> dict[str, Any]:
    """How recordings are made, and how long they are."""
    assert isinstance(samples.inputs, Files)
    kinds: Counter[str] = Counter()
    seconds = []
    for item in samples.inputs:
        try:
            found = recordings.probe(item)
        except Unreadable:
            continue
        channels = {1: "mono", 2: "stereo"}.get(found.channels, f"{found.channels} channels")
        kinds[f"{found.rate:,} Hz {channels} {found.coding}"] += 1
        seconds.append(found.seconds)
    if not seconds:
        return {}
    lengths = {
        "shortest": min(seconds), "mean": float(np.mean(seconds)), "longest": max(seconds),
        "all": sum(seconds),
    }  # fmt: skip
    return {"recorded": dict(kinds.most_common(SHOWN)), "seconds": lengths}


def _courses(samples: Samples) -> dict[str, Any]:
    """Channels, lengths and missing values of series."""
    ends, missing, channels = [], 0, 0
    for series in pieces(samples.inputs):
        end = steps(series)
        inside = np.arange(series.shape[2]) < end[:, None]
        missing += int((np.isnan(series) & inside[:, None]).sum())
        channels = series.shape[1]
        ends.append(end)
    counts = np.concatenate(ends)
    figures = {
        "mean": float(counts.mean()),
        "shortest": int(counts.min()),
        "longest": int(counts.max()),
    }
    return {"channels": channels, "steps": figures, "missing_values": missing}


def _labels(samples: Samples, rows: NDArray[np.intp]) -> list[Any]:
    if samples.targets is None:
        return [None] * len(rows)
    known = samples.has_label
    return [samples.targets[i] if known[i] else None for i in rows]


def _judge(
    found: list[Pair], names: list[str], parts: list[str], labels: list[Any]
) -> dict[str, Any]:
    """Pairs of the same split are duplicates, pairs of two splits are leaks."""
    kinds: dict[str, list[Pair]] = {"exact": [], "near": [], "leaks": [], "conflicts": []}
    for pair in found:
        one, other, exact = pair
        if parts[one] != parts[other]:
            kinds["leaks"].append(pair)
        else:
            kinds["exact" if exact else "near"].append(pair)
        known = labels[one] is not None and labels[other] is not None
        if exact and known and labels[one] != labels[other]:
            kinds["conflicts"].append(pair)

    def shown(index: int) -> str:
        label = "" if labels[index] is None else f" ({labels[index]})"
        return f"{parts[index]}: {names[index]}{label}"

    report: dict[str, Any] = {
        kind: {
            "count": len(members),
            "examples": [[shown(one), shown(other)] for one, other, _ in members[:SHOWN]],
        }
        for kind, members in kinds.items()
    }
    held = {other if parts[one] == "train" else one for one, other, _ in kinds["leaks"]}
    report["leaks"]["samples"] = len(held)
    return report


def advise(result: dict[str, Any]) -> list[str]:
    """What follows from an audit, a sentence each; empty when nothing is wrong."""
    advice = []
    for name, split in result["splits"].items():
        if split["bad"]:
            what = "texts" if result["kind"] == "text" else "files"
            advice.append(
                f"{len(split['bad']):,} {what} of {name} cannot be read: mend or remove them, or"
                " train with --on-bad skip."
            )
        sizes = split.get("classes", {})
        if len(sizes) > 1 and max(sizes.values()) > UNBALANCED * min(sizes.values()):
            rarest = min(sizes, key=sizes.__getitem__)
            advice.append(
                f"classes of {name} are unbalanced: '{rarest}' has {sizes[rarest]:,} samples, the"
                f" largest {max(sizes.values()):,}. Judge by macro F1, not by accuracy."
            )
        if split.get("constant_columns"):
            advice.append(f"{split['constant_columns']} columns of {name} never change.")
    known = set(result["splits"]["train"].get("classes", {}))
    for name in ("validation", "test"):
        unseen = set(result["splits"].get(name, {}).get("classes", {})) - known
        if unseen and known:
            advice.append(f"{name} has classes that train lacks: {', '.join(sorted(unseen)[:5])}.")
    found = result["duplicates"]
    if found["leaks"]["count"]:
        advice.append(
            f"{found['leaks']['samples']:,} samples outside train are the same as, or nearly the"
            " same as, samples of train: figures measured on them flatter."
        )
    if found["conflicts"]["count"]:
        advice.append(
            f"{found['conflicts']['count']:,} pairs of identical samples have different labels."
        )
    if found["exact"]["count"]:
        advice.append(f"{found['exact']['count']:,} pairs within a split are identical.")
    return advice


def text(result: dict[str, Any]) -> str:
    """An audit for a person to read."""
    lines = [f"{result['source']}: {result['kind']}", *result["notes"]]
    for name, split in result["splits"].items():
        lines.append(f"\n{name}: {split['samples']:,} samples, {split['labelled']:,} with a label")
        for key in (
            "shape",
            "channels",
            "steps",
            "missing_values",
            "sizes",
            "recorded",
            "seconds",
            "characters",
            "target",
            "classes",
        ):
            if key in split:
                lines.append(f"  {key}: {_inline(split[key])}")
        if name == "train":
            lines += [f"  {column}: {said}" for column, said in split.get("columns", {}).items()]
        if split["bad"]:
            lines.append(f"  unreadable: {len(split['bad']):,}")
            lines += [f"    {bad['name']}: {bad['reason']}" for bad in split["bad"][:SHOWN]]
    titles = {
        "exact": "identical pairs within a split",
        "near": "nearly identical pairs within a split",
        "leaks": "pairs across splits",
        "conflicts": "identical pairs with different labels",
    }
    lines.append("")
    for kind, title in titles.items():
        part = result["duplicates"][kind]
        lines.append(f"{title}: {part['count']:,}")
        lines += [f"    {one}  =  {other}" for one, other in part["examples"]]
    lines += ["", *([f"- {line}" for line in result["advice"]] or ["Nothing wrong was found."])]
    return "\n".join(lines)


def _inline(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, dict):
        return " × ".join(str(part) for part in value)
    shown = [
        f"{name} {n:,}" if isinstance(n, int) else f"{name} {n:.4g}" for name, n in value.items()
    ]
    more = f", and {len(shown) - 20} more" if len(shown) > 20 else ""
    return ", ".join(shown[:20]) + more
