"""The Python front door: `pretrain`, `finetune`, `load`, `inspect`, and the `Run` they give.

    encoder = pretrain("photos/", minutes=10)
    model = finetune("photos/", start=encoder, labels_per_class=10)
    model.evaluate()["accuracy"]

Every function raises `UserError` for what the user can mend, with the same sentences as the
command line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from headstart.data.given import IN_MEMORY, describe, is_given, on_disk
from headstart.errors import UserError
from headstart.runs.folder import RunFolder
from headstart.settings import merge
from headstart.workflows.config import DataConfig, FinetuneConfig, PretrainConfig
from headstart.workflows.request import config_of, durations, layered, nest

if TYPE_CHECKING:
    from headstart.workflows.module import Encoder

Named = str | dict[str, Any]
Inputs = str | Path | Sequence[str | Path] | NDArray[Any]
Data = Any  # str | Path, a DataFrame, a datasets.Dataset or DatasetDict
Config = TypeVar("Config", PretrainConfig, FinetuneConfig)


class Run:
    """A finished run in its folder; the network is read when it is first asked."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @cached_property
    def _loaded(self) -> Any:
        from headstart.workflows.loaded import load_run

        return load_run(self.path)

    @property
    def config(self) -> dict[str, Any]:
        """Every setting, resolved: what `config.yaml` holds."""
        return RunFolder.open(self.path).read_config()

    @property
    def result(self) -> dict[str, Any]:
        """What `result.json` holds."""
        folder = RunFolder.open(self.path)
        result: dict[str, Any] = folder.read_json(folder.result)
        return result

    def evaluate(
        self, data: Data | None = None, *, split: str | None = None, tta: int = 0
    ) -> dict[str, Any]:
        """The task's figures on labelled data, by default on the run's own test split.

        tta: weakly augmented copies of each sample, over which and itself answers are averaged.

        Raises:
            UserError: the data do not suit the run or have no labels.
        """
        from headstart.workflows import answer

        if is_given(data):
            columns = ("target", "file_column", "text_column")
            known = {name: self.config["data"].get(name) for name in columns}
            with on_disk(data, known["file_column"]) as (path, splits):
                config = config_of(DataConfig, {**known, **splits, "path": path})
                found = answer.evaluate(self._loaded, config, split=split, copies=tta)
                return {**found, "data": describe(data)}
        path = str(data) if data is not None else self.config["data"]["path"]
        if data is None and path.endswith(IN_MEMORY):
            raise UserError(
                f"this run learned from {path}, which is not there any more.",
                "Give evaluate() the data.",
            )
        config = config_of(DataConfig, {"path": path})
        return answer.evaluate(self._loaded, config, split=split, copies=tta)

    def predict(
        self, inputs: Inputs, *, split: str | None = None, tta: int = 0
    ) -> dict[str, NDArray[Any]]:
        """Columns, each `[N]`: `name`; `label` and `probability_...`, or `prediction`.

        inputs: a source of data, a picture, a list of pictures, or an array of samples.
        tta: as in `evaluate`.

        Raises:
            UserError: the run has learned no labels, or the inputs cannot be read.
        """
        from headstart.workflows import answer

        with _asked(inputs, self.config) as path:
            found = answer.predict(self._loaded, path, split=split, copies=tta)
        return {"name": np.array(found.names), **found.columns}

    def embed(self, inputs: Inputs, *, split: str | None = None) -> NDArray[np.float32]:
        """The encoder's features of each sample, `[N, D]`.

        Raises:
            UserError: the inputs cannot be read.
        """
        from headstart.workflows import answer

        with _asked(inputs, self.config) as path:
            columns = answer.embed(self._loaded, path, split=split).columns
        found: NDArray[np.float32] = columns["embedding"]
        return found

    def export(
        self,
        out: str | Path,
        *,
        format: str | None = None,
        quantize: str | None = None,
        data: str | Path | None = None,
        tolerance: float = 1e-4,
    ) -> dict[str, Any]:
        """Write the run in a form that others run, and compare it with the run on real samples.

        out: the file or folder to write; format: by default as `out` ends.
        quantize: "int8", for ONNX. data: real samples to check by; by default the run's own.

        Returns: the files, and the largest difference of each output.

        Raises:
            UserError: the run does not fit the format, a package is missing, or what was written
                differs by more than `tolerance`; nothing is left behind.
        """
        from headstart.export.write import Request
        from headstart.export.write import export as work

        source = None if data is None else str(data)
        request = Request(Path(out), format, source, tolerance=tolerance, quantize=quantize)
        return work(self._loaded, request)

    @property
    def encoder(self) -> Encoder:
        """Its encoder as a plain `torch.nn.Module`, for loops of your own."""
        from headstart.workflows.module import encoder_of

        return encoder_of(self._loaded)

    def report(self) -> Path:
        """Draw the plots and `report.html`; returns the page's path."""
        from headstart.report import build

        return build(self.path)

    def card(self) -> Path:
        """Write a model card, `README.md`, into the run's folder; returns its path."""
        from headstart.report.card import write_card

        return write_card(self.path)

    def __repr__(self) -> str:
        result = self.result
        test = result.get("test", {})
        figures = [f"{n}={test[n]:.4f}" for n in ("accuracy", "mse") if n in test]
        return f"Run({str(self.path)!r}, {', '.join([result.get('command', ''), *figures])})"


def load(path: str | Path) -> Run:
    """A finished run.

    Raises:
        UserError: there is none at `path`.
    """
    return Run(RunFolder.open(path).path)


def inspect(data: str | Path, **settings: Any) -> dict[str, Any]:
    """What is in a data set and what is wrong with it; `settings` as the flags of `inspect`."""
    from headstart.data.audit import audit
    from headstart.workflows.assemble import open_source

    config = config_of(DataConfig, {**nest(DataConfig, settings), "path": str(data)})
    return audit(open_source(config))


def pretrain(
    data: Data,
    *,
    out: str | Path | None = None,
    objective: Named | None = None,
    backbone: Named | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    preset: str | None = None,
    config: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    **settings: Any,
) -> Run:
    """Learn from every sample of `data`, labelled or not.

    out: folder of the run; by default the next free one in `runs/`.
    objective, backbone: a name, or settings with a "name".
    epochs, steps, minutes: one of them at most.
    settings: any flag of `headstart pretrain`: seed, lr, batch_size, device, target, ...

    Raises:
        UserError: settings or data are wrong.
    """
    from headstart.workflows.pretrain import pretrain as work

    parts = {"objective": _named(objective), "backbone": _named(backbone)}
    flags = _flags(PretrainConfig, data, settings, parts, (epochs, steps, minutes))
    whole = config_of(PretrainConfig, layered(preset, _path(config), flags, []))
    with (
        _folder(out, "pretrain", resume=resume, overwrite=overwrite) as folder,
        _opened(data, whole.data) as dataset,
    ):
        work(whole, folder, dataset=dataset, resume=resume)
    return Run(folder.path)


def finetune(
    data: Data,
    *,
    start: Run | str | Path | None = None,
    out: str | Path | None = None,
    task: Named | None = None,
    mode: str | None = None,
    backbone: Named | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    preset: str | None = None,
    config: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    **settings: Any,
) -> Run:
    """Learn from the labels of `data`, from a pre-trained run or from scratch.

    start: the pre-trained run; None: from scratch.
    task, backbone: a name, or settings with a "name".
    mode: "staged", "full", "frozen" or "lora".
    settings: any flag of `headstart finetune`: labels, labels_per_class, seed, lr, target, ...

    Raises:
        UserError: settings or data are wrong, or the pre-trained encoder does not fit.
    """
    from headstart.workflows.finetune import finetune as work

    parts = {
        "task": _named(task),
        "backbone": _named(backbone),
        "finetune": {} if mode is None else {"mode": mode},
    }
    flags = _flags(FinetuneConfig, data, settings, parts, (epochs, steps, minutes))
    if start is not None:
        flags["start"] = str(start.path if isinstance(start, Run) else start)
    whole = config_of(FinetuneConfig, layered(preset, _path(config), flags, []))
    with (
        _folder(out, "finetune", resume=resume, overwrite=overwrite) as folder,
        _opened(data, whole.data) as dataset,
    ):
        work(whole, folder, dataset=dataset, resume=resume)
    return Run(folder.path)


class Comparison:
    """A finished comparison in its folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def result(self) -> dict[str, Any]:
        """What `comparison.json` holds: methods, comparisons, costs, the verdict."""
        import json

        found: dict[str, Any] = json.loads((self.path / "comparison.json").read_text("utf-8"))
        return found

    def report(self) -> Path:
        """Write `report.html` again; returns its path."""
        from headstart.study import compare

        return compare.report(self.path)

    @property
    def verdict(self) -> str:
        """What it says, in words."""
        said = self.result["verdict"]
        return " ".join([said["headline"], *said["sentences"]])

    def __repr__(self) -> str:
        return f"Comparison({str(self.path)!r}, {self.result['verdict']['headline']!r})"


def compare(
    data: str | Path,
    *,
    out: str | Path,
    labels: Sequence[int | str] = (10, 100, 1000),
    seeds: int = 3,
    objective: str | Sequence[str] = (),
    start: Run | str | Path | Sequence[Run | str | Path] = (),
    task: Named | None = None,
    backbone: Named | None = None,
    workers: int = 1,
    **settings: Any,
) -> Comparison:
    """Whether pre-training pays on `data`: many runs on the same draws of labels.

    Goes on with what `out` holds already. labels: budgets, or "all"; seeds: draws of each.
    objective: ways to pre-train, by default the one that suits the data; start: finished runs.
    settings: steps, minutes, pretrain_steps, pretrain_minutes, metric, baselines, pretrain,
        finetune, device, or how the data are read: target, text_column, ...

    Raises:
        UserError: settings or data are wrong, or `out` holds another comparison.
    """
    from headstart.study.compare import compare as work
    from headstart.study.config import CompareConfig

    names = {field.name for field in dataclasses.fields(CompareConfig)}
    own = {name: settings.pop(name) for name in list(settings) if name in names}
    runs = [start] if isinstance(start, Run | str | Path) else list(start)
    raw = {
        **own,
        "data": {**nest(DataConfig, settings), "path": str(data)},
        "labels": list(labels),
        "seeds": seeds,
        "objectives": [objective] if isinstance(objective, str) else list(objective),
        "start": [str(run.path if isinstance(run, Run) else run) for run in runs],
        "task": _named(task),
        "backbone": _named(backbone),
    }
    work(config_of(CompareConfig, raw), Path(out), workers=workers)
    return Comparison(out)


def _flags(
    cls: type[Config],
    data: Data,
    settings: dict[str, Any],
    parts: dict[str, dict[str, Any]],
    length: tuple[float | None, float | None, float | None],
) -> dict[str, Any]:
    duration = durations(*length)
    return merge(
        nest(cls, settings),
        {name: part for name, part in parts.items() if part},
        {"data": {"path": describe(data) if is_given(data) else str(data)}},
        {"training": {"duration": str(duration)}} if duration else {},
    )


@contextmanager
def _opened(data: Data, config: DataConfig) -> Iterator[Any]:
    """What is given in memory as a data set with a test split; None for what has a path.

    Pictures may be read from disk for as long as the block lasts.
    """
    if not is_given(data):
        yield None
        return
    from headstart.workflows.assemble import open_data

    with on_disk(data, config.file_column) as (path, splits):
        named: dict[str, Any] = {"path": path, **splits}
        opened = open_data(replace(config, **named))
        yield replace(opened, source=describe(data))


@contextmanager
def _asked(inputs: Inputs, config: dict[str, Any]) -> Iterator[Inputs]:
    """What `predict` and `embed` are asked of; tables of numbers and names as they are."""
    told = config.get("data", {})
    if not is_given(inputs) or config.get("modality", {}).get("name") == "table":
        yield inputs
        return
    with on_disk(inputs, told.get("file_column")) as (path, _):
        yield path


def _named(part: Named | None) -> dict[str, Any]:
    return {"name": part} if isinstance(part, str) else dict(part or {})


def _path(config: str | Path | None) -> Path | None:
    return None if config is None else Path(config)


def _folder(out: str | Path | None, stem: str, *, resume: bool, overwrite: bool) -> RunFolder:
    if out is not None:
        return RunFolder.create(out, resume=resume, overwrite=overwrite)
    if resume:
        raise UserError("resume continues a run: name its folder with out=.")
    number = 1
    while Path("runs", f"{stem}-{number}").exists():
        number += 1
    return RunFolder.create(Path("runs", f"{stem}-{number}"), resume=False, overwrite=False)
