"""All plots of a run, and the page that shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from headstart.data.corpus import Corpus
from headstart.data.dataset import Dataset, Samples
from headstart.errors import UserError
from headstart.modalities.audio import Audio
from headstart.modalities.base import Drawn, Windowed
from headstart.report import answers, curves, facts, hover, lines, maps, pictures
from headstart.report.page import Passage, Plot, write_page
from headstart.types import Batch
from headstart.workflows.answer import open_for, own_data
from headstart.workflows.loaded import LoadedRun, load_run
from headstart.workflows.sheets import brightness

MOST = 2_000  # samples that are drawn or mapped
MOST_JUDGED = 20_000  # samples whose answers are plotted; `result.json` has all of them
SHOWN = 8  # pictures in a row


def build(path: str | Path, *, device: str = "auto", dataset: Dataset | None = None) -> Path:
    """Draw a finished run's plots into `RUN/plots` and write `RUN/report.html`; returns its path.

    The pictures come from the data the run learned from; where these cannot be read any more the
    page says so and shows the rest. dataset: what it learned from, where that is in memory.

    Raises:
        UserError: there is no finished run at `path`, or its folder cannot be written.
    """
    run = load_run(path, device)
    if run.task is None and isinstance(run.modality, Windowed):
        run = replace(run, modality=run.modality.by_window())
    plots = [curves.losses(run), curves.metrics(run), curves.embedding(run)]
    missing = None
    known: list[tuple[str, str]] = []
    texts: list[Passage | None] = []
    try:
        dataset = dataset or open_for(run, own_data(run))
        x, samples = _test(run, dataset)
    except UserError as error:
        missing = f"The data could not be read again, so there are no pictures here: {error}"
    else:
        torch.default_generator.manual_seed(0)
        known = facts.of_data(dataset)
        plots += _seen(run, x, samples)
        texts = _read(run, x, samples)
    found = [plot for plot in plots if plot is not None]
    _save(run.folder.path / "plots", found)
    passages = [passage for passage in texts if passage is not None]
    write_page(run, found, missing, passages, known)
    return run.folder.report


def _test(run: LoadedRun, dataset: Dataset) -> tuple[Tensor, Samples]:
    """The test split as the run made it: what has labels, where the run learned some and any do."""
    samples = dataset.splits["test"]
    if run.task is not None and samples.has_label.any():
        samples = samples.take(np.flatnonzero(samples.has_label))
    most = MOST if run.task is None else MOST_JUDGED
    if len(samples) > most:
        some = np.random.default_rng(0).permutation(len(samples))[:most]
        samples = samples.take(np.sort(some))
    elif isinstance(samples.inputs, Corpus):
        samples = samples.take(np.arange(len(samples)))
    x, bad = run.modality.tensor(samples, on_bad="skip")
    if bad:
        good = np.setdiff1d(np.arange(len(samples)), bad)
        x, samples = x[torch.from_numpy(good)], samples.take(good)
    return x, samples


def _seen(run: LoadedRun, x: Tensor, samples: Samples) -> list[Plot | None]:
    plots: list[Plot | None] = []
    drawable, series = run.modality.spec.is_image, run.modality.spec.is_series
    series = series and not isinstance(run.modality, Drawn)
    labels = _labels(samples)
    if series:
        plots += lines.seen(run, x)
    if drawable and (run.learner.augment or run.learner.views > 1):
        plots.append(_augmented(run, x))
    if run.task is None:
        if drawable:
            plots += [_reconstructions(run, x), _made(run)]
    elif labels is not None:
        targets = run.task.encode(labels, "test")
        outputs = run.outputs(x)
        plots.append(answers.judged(run.task, outputs, targets))
        if drawable:
            plots.append(pictures.mistakes(run.task, _drawer(run, x), outputs, targets))
        if series:
            plots.append(lines.mistakes(run, x, outputs, targets))
    plot = maps.embedding(run.embeddings(x[:MOST]), None if labels is None else labels[:MOST])
    if plot is not None and len(x) == len(samples):
        plot.spots = hover.spots(run, x, samples, maps.places(plot))
    return [*plots, plot]


def _labels(samples: Samples) -> NDArray[Any] | None:
    """Targets, where every sample has one."""
    return samples.targets if bool(samples.has_label.all()) else None


def _drawer(run: LoadedRun, x: Tensor) -> Callable[[int], Tensor]:
    """How the picture of one of the compact samples `x` is made, `[C, H, W]` in 0..1."""
    return lambda i: brightness(run.modality, run.batch(x[i : i + 1]).x)[0]


def _read(run: LoadedRun, x: Tensor, samples: Samples) -> list[Passage | None]:
    """What there is to read of a run of texts, and to hear of one of recordings."""
    if isinstance(run.modality, Audio):
        return _listen(run, x, samples)
    if run.modality.spec.vocabulary is None:
        return []
    from headstart.report import passages

    if run.task is None:
        return [passages.guesses(run, x)]
    labels = _labels(samples)
    if labels is None:
        return []
    targets = run.task.encode(labels, "test")
    outputs = run.outputs(x)
    judged = (run, x, outputs, targets)
    return [passages.mistakes(*judged), passages.decisions(*judged)]


def _listen(run: LoadedRun, x: Tensor, samples: Samples) -> list[Passage | None]:
    from headstart.report import sounds

    labels = _labels(samples)
    if run.task is None or labels is None:
        return [sounds.augmented(run, x)]
    targets = run.task.encode(labels, "test")
    return [sounds.mistakes(run, x, run.outputs(x), targets), sounds.augmented(run, x)]


def _augmented(run: LoadedRun, x: Tensor) -> Plot:
    x = x[:SHOWN].to(run.device)
    made = {
        "as they are": run.modality.prepare(x),
        "weakly": run.modality.augment(x),
        "weakly, again": run.modality.augment(x),
        "strongly": run.modality.augment(x, "strong"),
        "strongly, again": run.modality.augment(x, "strong"),
    }
    rows = {title: brightness(run.modality, part) for title, part in made.items()}
    return pictures.augmented(rows, run.modality.state()["augment"]["kind"])


@torch.no_grad()
def _reconstructions(run: LoadedRun, x: Tensor) -> Plot | None:
    batch: Batch = run.batch(x[:SHOWN])
    pair = run.learner.reconstruct(batch)
    if pair is None:
        return None
    shown = [brightness(run.modality, part) for part in pair]
    return pictures.beside(shown[0], shown[1])


@torch.no_grad()
def _made(run: LoadedRun) -> Plot | None:
    made = run.learner.sample(3 * SHOWN)
    return None if made is None else pictures.grid(brightness(run.modality, made), SHOWN)


def _save(folder: Path, plots: list[Plot]) -> None:
    from headstart.runs.atomic import write_with

    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write in {folder}: {error.strerror or error}.") from error
    for plot in plots:
        write_with(folder / f"{plot.name}.png", _writer(plot.figure))


def _writer(figure: Figure) -> Callable[[Path], None]:
    return lambda path: figure.savefig(path, format="png", dpi=120)
