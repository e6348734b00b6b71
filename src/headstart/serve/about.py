"""What the page must know of a run: what goes in, what comes out, some samples to try."""

from __future__ import annotations

from typing import Any

import numpy as np

from headstart import __version__
from headstart.modalities.image import Image
from headstart.modalities.series import Series
from headstart.modalities.tabular import Table
from headstart.modalities.text import Text
from headstart.serve.explain import Memory
from headstart.serve.showing import ink, sent
from headstart.workflows.loaded import LoadedRun

TRIED = 6  # training samples that the page offers
SHOWN = ("accuracy", "macro_f1", "mse", "mae")  # figures of the test
MOST_VALUES = 200  # of a category that a form lists


def about(run: LoadedRun, memory: Memory | None, why: str) -> dict[str, Any]:
    """Everything, as JSON can hold it. why: there is no memory."""
    state = run.modality.state()
    test = run.result.get("test") or {}
    figures = {k: v for k in SHOWN if (v := test.get(k)) is not None}
    some = np.random.default_rng(1)
    examples: list[dict[str, Any]] = []
    if memory is not None:
        count = min(TRIED, len(memory.samples))
        chosen = some.choice(len(memory.samples), count, replace=False)
        examples = [
            {**memory.shown(run, int(i)), **sent(run.modality, memory.x[int(i)])} for i in chosen
        ]
    return {
        "headstart": __version__,
        "name": run.folder.path.name,
        "modality": state["modality"],
        "task": None if run.task is None else run.task.name,
        "classes": [str(c) for c in getattr(run.task, "classes", [])],
        "target": run.config.get("data", {}).get("target"),
        "figures": figures,
        "input": _input(run, memory),
        "examples": examples,
        "no_neighbours": why,
    }


def _input(run: LoadedRun, memory: Memory | None) -> dict[str, Any]:
    modality: Any = run.modality
    if isinstance(modality, Image):
        height, width = modality.size
        drawn = None if memory is None else ink(memory.x)
        return {"height": height, "width": width, "channels": modality.channels, "ink": drawn}
    if isinstance(modality, Text):
        return {"longest": modality.length}
    if isinstance(modality, Table):
        return {"columns": [_field(column.state()) for column in modality.columns]}
    if isinstance(modality, Series):
        return {"channels": len(modality.mean), "length": modality.length}
    if modality.decoding is not None:
        reading = getattr(modality, "reading", None)
        seconds = reading.window * reading.windows / reading.rate if reading else None
        return {"rate": getattr(reading, "rate", None), "seconds": seconds}
    return {"count": int(modality.spec.shape[0])}


def _field(column: dict[str, Any]) -> dict[str, Any]:
    """A column as a form asks for it."""
    field = {"name": column["name"], "kind": column["kind"]}
    if "values" in column:
        return {**field, "values": column["values"][:MOST_VALUES]}
    if column["kind"] == "number":
        return {**field, "low": column["at"][0], "high": column["at"][-1]}
    return {**field, "form": column.get("form")}
