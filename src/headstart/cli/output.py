"""What a person sees: what is wrong on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from headstart import processes
from headstart.errors import UserError

INDENT = " " * len("headstart: ")


def complain(error: UserError) -> None:
    """The message, and each hint on a line of its own beneath it."""
    who = "" if processes.is_first() else f" (process {processes.own_rank()})"
    print(f"headstart{who}: {error.message}", file=sys.stderr)
    for hint in error.hints:
        print(f"{INDENT}{hint}", file=sys.stderr)


def print_json(value: Any) -> None:
    """The result, and nothing else, on stdout."""
    from headstart.runs.atomic import finite

    print(json.dumps(finite(value), indent=2, ensure_ascii=False))


def print_table(rows: Sequence[Sequence[str]], *, numbers_from: int = 1) -> None:
    """Rows, the first of them the heading; columns from `numbers_from` on are set right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for n, row in enumerate(rows):
        cells = [
            cell.ljust(width) if i < numbers_from else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
        if n == 0:
            print("  ".join("-" * width for width in widths))


# Figures of tasks that are told first, where classes and numbers have theirs.
FIRST = {
    "micro_f1": "micro-F1",
    "exact_match": "whole samples right",
    "entity_f1": "F1 of entities",
    "token_accuracy": "accuracy of words",
    "unit_error_rate": "error rate of units",
    "word_error_rate": "of words",
    "character_error_rate": "of characters",
}


def headline(result: dict[str, Any]) -> list[str]:
    """The few figures of a `result.json` that a person wants first, a sentence each."""
    lines = []
    test = result.get("test") or {}
    if "accuracy" in test:
        low, high = test["confidence_interval"]
        lines.append(
            f"test accuracy {test['accuracy']:.2%} ({low:.1%} to {high:.1%}) on"
            f" {test['n']:,} samples, from {result['labels']:,} labels"
        )
    elif "mse" in test:
        lines.append(
            f"test mean squared error {test['mse']:.4g} (always the mean:"
            f" {test['mean_predictor_mse']:.4g}), R² {test['r2']:.3f}, on {test['n']:,} samples"
        )
    elif told := [f"{FIRST[name]} {test[name]:.2%}" for name in FIRST if name in test]:
        lines.append(
            f"test {', '.join(told)}, on {test['n']:,} samples, from {result['labels']:,} labels"
        )
    elif result.get("command") == "pretrain":
        held = result.get("val", {}).get("loss")
        if held is not None:
            lines.append(f"loss {held:.4f} on samples held out")
        elif result.get("loss") is not None:
            lines.append(f"loss {result['loss']:.4f} on train (too few samples to hold any out)")
    if result.get("winner"):
        lines.append(result["winner"])
    lines.append(
        f"{result['steps']:,} steps in {result['seconds']:.0f} s"
        f" ({result['samples_per_second']:,.0f} samples a second)"
    )
    if "trainable_parameters" in result:
        lines.append(_effort(result))
    skipped = sum(len(names) for names in result.get("skipped", {}).values())
    if skipped:
        lines.append(f"{skipped:,} samples could not be used and were left out")
    for finding in result.get("health", {}).get("findings", []):
        lines.append(f"{finding['name']}: {finding['message']} {finding['advice']}")
    return lines


def _effort(result: dict[str, Any]) -> str:
    """How much was trained, and what it took."""
    from headstart.settings.sizes import in_words

    trained = f"{result['trainable_parameters']:,} of {result['parameters']:,} parameters trained"
    peak = result["peak_memory"]
    return trained if peak is None else f"{trained}, in {in_words(peak)} of memory at most"
