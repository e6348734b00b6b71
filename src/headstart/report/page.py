"""The self-contained page: figures inlined, nothing fetched."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from headstart.runs.atomic import write_text
from headstart.settings.files import to_yaml
from headstart.workflows.loaded import LoadedRun


@dataclass(frozen=True)
class Spots:
    """Points of a figure that tell more where they are pointed at.

    places: per cent of its width and height, `[N]`; texts: what each says, `[N]`.
    sheet: small pictures of the first `pictures` of them, row by row, `columns` in a row, each of
        `size` (width, height).
    """

    places: list[tuple[float, float]]
    texts: list[str]
    sheet: str = ""
    pictures: int = 0
    columns: int = 1
    size: tuple[int, int] = (0, 0)

    @property
    def plain(self) -> dict[str, Any]:
        """For the page's script; the sheet is in its style."""
        parts = {"texts": self.texts, "pictures": self.pictures, "columns": self.columns}
        return {"places": self.places, "size": self.size, **parts}


@dataclass
class Plot:
    """A figure, its file's name, its title and one sentence of what to look for.

    points: `[N, 2]` of a map, on its first axes; spots: what they say where they are pointed at.
    """

    name: str
    title: str
    figure: Figure
    sentence: str
    points: NDArray[np.float64] | None = None
    spots: Spots | None = None

    @property
    def data(self) -> str:
        """The picture as a `data:` address."""
        file = io.BytesIO()
        self.figure.savefig(file, format="png", dpi=110)
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


@dataclass(frozen=True)
class Word:
    """A piece of text, or a sound.

    weight: 0 plain to 1, how strongly it is coloured. sound: a `data:` address of what is played.
    """

    text: str
    weight: float = 0.0
    sound: str | None = None

    @property
    def colour(self) -> str:
        """Its background."""
        return f"rgba(204, 102, 119, {0.75 * min(max(self.weight, 0.0), 1.0):.2f})"


@dataclass(frozen=True)
class Passage:
    """A table of texts: its title, the heads of its columns, its rows, what to look for."""

    title: str
    heads: list[str]
    rows: list[list[list[Word]]]
    sentence: str


def new_figure(width: float, height: float) -> tuple[Figure, Any]:
    """A figure with one pair of axes; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def new_grid(rows: int, columns: int, side: float) -> tuple[Figure, Any]:
    """A figure of small squares without ticks: `axes[row][column]`."""
    figure = Figure(figsize=(columns * side, rows * (side + 0.25)), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    return figure, axes


def write_page(
    run: LoadedRun,
    plots: list[Plot],
    missing: str | None,
    passages: Sequence[Passage] = (),
    facts: Sequence[tuple[str, str]] = (),
) -> None:
    """Write `report.html` into the run's folder. facts: what its data are, by name."""
    from jinja2 import Environment

    template = files("headstart.report").joinpath("page.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(template)
    health = run.result.get("health", {})
    text = page.render(
        style=style(),
        title=_title(run),
        run=str(run.folder.path),
        verdict=health.get("verdict", "unknown"),
        findings=health.get("findings", []),
        figures=_figures(run.result),
        plots=plots,
        passages=passages,
        missing=missing,
        facts=facts,
        notes=run.result.get("notes", []),
        settings=to_yaml(run.config),
        versions=run.result.get("versions", {}),
    )
    write_text(run.folder.report, text)


def style() -> str:
    """The style sheet of all pages."""
    return files("headstart.report").joinpath("style.css").read_text(encoding="utf-8")


def _title(run: LoadedRun) -> str:
    what = run.result.get("objective") or run.result.get("task") or ""
    done = "Pre-training" if run.task is None else "Fine-tuning"
    return f"{done}: {what}, {run.result.get('backbone', '')}, on {run.result.get('data', '')}"


def _figures(result: dict[str, Any]) -> list[tuple[str, str]]:
    """The rows of the table of figures."""
    rows: list[tuple[str, str]] = []
    test = result.get("test") or {}
    names = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "mse", "rmse", "mae", "r2")
    errors = ("unit_error_rate", "word_error_rate", "character_error_rate", "exact")
    several = ("micro_f1", "mean_average_precision", "exact_match", "entity_f1", "token_accuracy")
    for name in (*names, *several, *errors, "mean_predictor_mse"):
        if test.get(name) is not None:
            rows.append((f"test {name.replace('_', ' ')}", f"{test[name]:.4f}"))
    if "confidence_interval" in test:
        low, high = test["confidence_interval"]
        rows.append(("95 % interval of accuracy", f"{low:.4f} to {high:.4f}"))
    if "n" in test:
        rows.append(("test samples", f"{test['n']:,}"))
    if result.get("calibration"):
        rows.append(("temperature of probabilities", f"{result['calibration']['temperature']:.3f}"))
    if result.get("bakeoff"):
        scores = {t["objective"]: t["score"] for t in result["bakeoff"]["tried"] if t["score"]}
        best_first = sorted(scores, key=lambda name: scores[name], reverse=True)
        tried = ", ".join(f"{name} {scores[name]:.3f}" for name in best_first)
        rows.append((f"tried, by {result['bakeoff']['judged_by']}", tried))
    if result.get("labels"):
        rows.append(("labels used", f"{result['labels']:,}"))
    if result.get("start"):
        rows.append(("started from", str(result["start"])))
    for name, value in (result.get("val") or {}).items():
        if isinstance(value, int | float):
            rows.append((f"validation {name.replace('_', ' ')}", f"{value:.4f}"))
    guess = (result.get("val") or {}).get("guess")
    if isinstance(guess, int | float):  # nats a token
        rows.append(("validation perplexity", f"{math.exp(guess):.1f}"))
    for name, unit in (("parameters", ""), ("steps", ""), ("samples_per_second", "")):
        if result.get(name) is not None:
            rows.append((name.replace("_", " "), f"{result[name]:,.0f}{unit}"))
    if result.get("seconds") is not None:
        rows.append(("seconds of training", f"{result['seconds']:,.1f}"))
    return rows
