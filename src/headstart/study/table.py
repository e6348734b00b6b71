"""A comparison as rows of text."""

from __future__ import annotations

from typing import Any

from headstart.study.figures import Kind, in_words, kind_of

WIDTH = 44  # of a method's name at most


def rows(found: dict[str, Any]) -> list[list[str]]:
    """A row a method, a column a number of labels; the heading first."""
    kind = kind_of(found["metric"])
    counts = [f"{point['labels']:,} labels" for point in found["labels"]]
    table = [[in_words(found["metric"]), *counts]]
    for method in found["methods"]:
        cells = [cell(point, kind) for point in method["points"]]
        table.append([method["name"][:WIDTH], *cells])
    return table


def cell(point: dict[str, Any], kind: Kind) -> str:
    """`9.8 ± 0.4 %`: the mean over draws and half the width of its 95 % interval."""
    if point["mean"] is None:
        return "…"
    if point.get("high") is None:
        return kind.write(point["mean"])
    half = point["high"] - point["mean"]
    if kind.percent:
        return f"{100 * point['mean']:.1f} ± {100 * half:.1f} %"
    return f"{point['mean']:.4g} ± {half:.2g}"
