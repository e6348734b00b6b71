"""Export a run: write beside, open it again, compare on real samples, put it in place."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.data.dataset import Samples
from headstart.errors import UserError
from headstart.export import table
from headstart.export.base import Asked, Format, Work, require
from headstart.export.graph import OUTPUTS, Graph, describe
from headstart.runs.atomic import MARK
from headstart.runs.folder import RunFolder
from headstart.workflows.answer import open_for, own_data
from headstart.workflows.assemble import Say
from headstart.workflows.config import DataConfig
from headstart.workflows.loaded import LoadedRun
from headstart.workflows.request import config_of

CHECKED = 256  # samples on which what was written is compared with the run
JUDGED = 2_000  # labelled samples on which the loss of a quantised graph is measured
TOLERANCE = 1e-4


@dataclass
class Request:
    """How to export.

    format: a row of the table; by default what the suffix of `out` says.
    data: where real samples come from; by default the run's own data.
    samples: how many are compared. tolerance: of each output, as a share of its largest value
    where that is above 1. quantize: "int8" for ONNX, else None.
    """

    out: Path
    format: str | None = None
    data: str | None = None
    samples: int = CHECKED
    tolerance: float = TOLERANCE
    quantize: str | None = None


def export(run: LoadedRun, request: Request, say: Say = lambda _: None) -> dict[str, Any]:
    """Write the run in a format of others, after making sure that it says the same.

    Returns: out, format, files, samples, the largest difference of each output; with `quantize`
    also the figures before and after.

    Raises:
        UserError: the format is unknown or needs what is not installed, the run does not fit it,
            or what was written differs from the run by more than the tolerance. Nothing is left
            behind then.
    """
    name = request.format or _by_suffix(request.out)
    form: type[Format] = table.load(name)
    require(form.needs, f"--format {name}")
    _check_place(request, name, form)
    samples = _real(run, request)
    graph = Graph.of(run)
    raw = graph.door.raw(samples.take(np.arange(min(len(samples), max(1, request.samples)))))
    state = run.folder.read_preprocessing()
    work = Work(graph, raw, describe(state, run.config, graph), state, run.config)
    out = request.out
    folder = _beside(out)
    try:
        made = folder / out.name
        say(f"writing {name}")
        form.write(made, work)
        found: dict[str, Any] = {"out": str(out), "format": name, "samples": len(raw)}
        if request.quantize is None:
            said = _wanted(run, graph, samples.take(np.arange(len(raw))))
            found["difference"] = _compared(form.opened(made), raw.numpy(), said, request.tolerance)
        else:
            found |= _quantised(run, work, made, samples, say)
        found["files"] = _put(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _beside(out: Path) -> Path:
    """A new folder next to `out`, from which what was written is moved there."""
    try:
        return Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=MARK))
    except OSError as error:
        raise UserError(f"cannot write in {out.parent}: {error.strerror or error}.") from error


def _by_suffix(out: Path) -> str:
    for name in table:
        if (suffix := table.load(name).suffix) and out.suffix == suffix:
            return name
    raise UserError(
        f"--out {out}: its suffix names no format.", f"Give --format: {', '.join(table)}."
    )


def _check_place(request: Request, name: str, form: type[Format]) -> None:
    out = request.out
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.parent}.")
    if form.suffix and out.suffix != form.suffix:
        raise UserError(f"--out {out}: the format {name} is written as a file {form.suffix}.")
    if form.suffix and out.is_dir():
        raise UserError(f"--out {out} is a folder; the format {name} is one file.")
    beside = RunFolder(out.parent)
    if out == beside.model and beside.config.exists():
        raise UserError(f"--out {out} is the model of a run, which would be lost.", "Name another.")
    if not form.suffix and out.exists():
        raise UserError(f"--out {out} exists already; {name} is written as a new folder.")
    if request.quantize is not None and (name != "onnx" or request.quantize != "int8"):
        raise UserError("--quantize int8 goes with --format onnx.")


def _real(run: LoadedRun, request: Request) -> Samples:
    """Real samples, the test split's where there is one: export chooses nothing by them."""
    own = own_data(run)
    # Other samples are read as new ones are: the run's own splits and target are not theirs.
    asked = own
    if request.data:
        asked = config_of(DataConfig, {"path": request.data, "on_bad": own.on_bad})
    try:
        dataset = open_for(run, asked)
    except UserError as error:
        raise UserError(
            f"an export is compared with the run on real samples, and these cannot be read:"
            f" {error.message}",
            *error.hints,
            f"Name {'others' if request.data else 'where they are now'} with --data.",
        ) from error
    samples = dataset.splits[dataset.usual_split]
    some = np.random.default_rng(0).permutation(len(samples))[: max(JUDGED, request.samples)]
    return _readable(run, samples.take(np.sort(some)))


def _readable(run: LoadedRun, samples: Samples) -> Samples:
    """Those that can be read, where the run was told to leave damaged ones out."""
    if own_data(run).on_bad != "skip":
        return samples
    bad = run.modality.tensor(samples, on_bad="skip")[1]
    return samples.take(np.setdiff1d(np.arange(len(samples)), bad))


def _wanted(run: LoadedRun, graph: Graph, samples: Samples) -> dict[str, NDArray[Any]]:
    """What the run itself says of samples: its own preprocessing, network and task."""
    x, _ = run.modality.tensor(samples)
    pooled = run.embeddings(x)
    if run.task is None:
        return dict(zip(graph.names, [pooled.numpy()], strict=True))
    outputs = run.outputs(x)
    answers = run.task.answers(outputs)
    values = [*answers.values(), outputs, pooled]
    return {name: value.numpy() for name, value in zip(graph.names, values, strict=True)}


def _compared(
    asked: Asked, raw: NDArray[Any], wanted: dict[str, NDArray[Any]], tolerance: float
) -> dict[str, float]:
    """The largest difference of each output, of all samples together and of the first alone.

    Raises:
        UserError: one is above the tolerance.
    """
    whole, first = asked(raw), asked(raw[:1])
    found: dict[str, float] = {}
    for name in whole:
        want = wanted[name]
        scale = max(1.0, float(np.abs(want).max()))
        parts = [(whole[name], want), (first[name], want[:1])]
        found[name] = max(float(np.abs(have - part).max()) for have, part in parts)
        if not found[name] <= tolerance * scale:
            raise UserError(
                f"what was written differs from the run: '{name}' by {found[name]:.2g} on"
                f" {len(raw):,} real samples, where {tolerance * scale:.2g} is allowed.",
                "Nothing was kept. Allow more with --tolerance, or report this as a bug.",
            )
    return found


def _quantised(
    run: LoadedRun, work: Work, path: Path, samples: Samples, say: Say
) -> dict[str, Any]:
    """Replace the graph by one of whole numbers; what it loses is measured."""
    from headstart.export import quantise
    from headstart.export.onnx import session

    learned = open_for(run, own_data(run)).train
    some = np.sort(np.random.default_rng(0).permutation(len(learned))[: quantise.CALIBRATION])
    calibrating = _readable(run, learned.take(some))
    how = quantise.quantise(path, work.graph.door.raw(calibrating).numpy())
    say(f"quantised: {how}")
    judged = samples.take(np.flatnonzero(samples.has_label))
    after = session(path)
    if run.task is None or len(judged) == 0:
        raw = work.raw.numpy()
        wanted = _wanted(run, work.graph, samples.take(np.arange(len(raw))))
        return {"quantized": how, "difference": _differences(after, raw, wanted)}
    raw = work.graph.door.raw(judged).numpy()
    wanted = _wanted(run, work.graph, judged)
    assert judged.targets is not None
    targets = run.task.encode(judged.targets, "test")
    before = run.task.figures(torch.from_numpy(wanted[OUTPUTS]), targets)
    now = run.task.figures(torch.from_numpy(after(raw)[OUTPUTS]), targets)
    shown = ("accuracy", "macro_f1", "mse", "mae")
    figures = {k: {"before": before[k], "after": now[k]} for k in shown if k in before}
    return {
        "quantized": how,
        "judged": len(judged),
        "figures": figures,
        "difference": _differences(after, raw, wanted),
    }


def _differences(
    asked: Asked, raw: NDArray[Any], wanted: dict[str, NDArray[Any]]
) -> dict[str, float]:
    return {n: float(np.abs(v - wanted[n]).max()) for n, v in asked(raw).items()}


def _put(folder: Path, out: Path) -> list[str]:
    """Move what was written to its place, the main thing last."""
    made = sorted(folder.iterdir(), key=lambda path: path.name == out.name)
    try:
        for path in made:
            path.replace(out.parent / path.name)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}.") from error
    return [str(out.parent / path.name) for path in reversed(made)]
