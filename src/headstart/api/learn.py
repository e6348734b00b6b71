"""Runs begun from Python: `pretrain`, `finetune`; and `inspect`, before either."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart import processes
from headstart.api.given import (
    Data,
    Named,
    folder_for,
    in_memory,
    name_of,
    named,
    opened,
    path_of,
    raw_of,
)
from headstart.api.run import Run
from headstart.training.display import REPORT_SECONDS, progress_display, speaker
from headstart.workflows.config import DataConfig, FinetuneConfig, PretrainConfig
from headstart.workflows.request import config_of, layered, nest

if TYPE_CHECKING:
    from headstart.data.dataset import Dataset
    from headstart.training.watching import Watcher

Work = Callable[..., dict[str, Any]]


def inspect(data: Data, **settings: Any) -> dict[str, Any]:
    """What is in a data set and what is wrong with it; `settings` as the flags of `inspect`."""
    from headstart.data.audit import audit
    from headstart.workflows.assemble import open_source

    config = config_of(DataConfig, {**nest(DataConfig, settings), "path": name_of(data)})
    if isinstance(data, str | Path):
        return audit(open_source(config))
    with in_memory(data, config) as dataset:
        return audit(dataset)


def pretrain(
    data: Data = None,
    *,
    out: str | Path | None = None,
    objective: Named | None = None,
    backbone: Named | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    preset: str | None = None,
    config: str | Path | None = None,
    set: Mapping[str, Any] | None = None,
    watchers: Sequence[Watcher] = (),
    verbose: bool = True,
    report: bool = True,
    resume: bool = False,
    overwrite: bool = False,
    **settings: Any,
) -> Run:
    """Learn from every sample of `data`, labelled or not.

    data: a path or a name; an array, tensor or list of texts or files, or a pair of these and
        labels; a frame or a data set of Hugging Face. None: what `config` names.
    out: folder of the run; by default the next free one in `runs/`.
    objective, backbone: a name, or settings with a "name".
    epochs, steps, minutes: one of them at most.
    config: a YAML file, such as a run's config.yaml; set: any setting of it by its dotted name, as
        `{"training.ema": 0.99}`, which has the last word.
    watchers: who looks on (docs/watching.md). verbose: say on stderr how it goes. report: draw
        plots and report.html when done.
    settings: any flag of `headstart pretrain` (seed, lr, batch_size, device, target, size, ...),
        and groups of settings: `training={"ema": 0.99}`, `modality={...}`.

    Raises:
        UserError: settings or data are wrong.
    """
    from headstart.workflows.pretrain import pretrain as work

    parts = {"objective": named(objective), "backbone": named(backbone)}
    flags = raw_of(PretrainConfig, data, settings, parts, (epochs, steps, minutes))
    whole = config_of(PretrainConfig, layered(preset, path_of(config), flags, set))
    more = {"watchers": watchers, "resume": resume}
    with folder_for(out, "pretrain", resume=resume, overwrite=overwrite) as folder:
        return _done(work, whole, folder, data, more, verbose=verbose, report=report)


def finetune(
    data: Data = None,
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
    set: Mapping[str, Any] | None = None,
    watchers: Sequence[Watcher] = (),
    verbose: bool = True,
    report: bool = True,
    resume: bool = False,
    overwrite: bool = False,
    **settings: Any,
) -> Run:
    """Learn from the labels of `data`, from a pre-trained run or from scratch.

    start: the pre-trained run; None: from scratch.
    task, backbone: a name, or settings with a "name".
    mode: "staged", "full", "frozen" or "lora".
    settings: any flag of `headstart finetune` (labels, labels_per_class, unlabelled, seed, lr,
        target, ...), and groups of settings: `training`, `modality`, `self_training`, `vat`,
        `distillation`, `finetune`, each a dict.
    data, out, epochs, ..., report: as of `pretrain`.

    Raises:
        UserError: settings or data are wrong, or the pre-trained encoder does not fit.
    """
    from headstart.workflows.finetune import finetune as work

    parts = {
        "task": named(task),
        "backbone": named(backbone),
        "finetune": {} if mode is None else {"mode": mode},
    }
    flags = raw_of(FinetuneConfig, data, settings, parts, (epochs, steps, minutes))
    if start is not None:
        flags["start"] = str(start.path if isinstance(start, Run) else start)
    whole = config_of(FinetuneConfig, layered(preset, path_of(config), flags, set))
    more = {"watchers": watchers, "resume": resume}
    with folder_for(out, "finetune", resume=resume, overwrite=overwrite) as folder:
        return _done(work, whole, folder, data, more, verbose=verbose, report=report)


def _done(
    work: Work,
    config: PretrainConfig | FinetuneConfig,
    folder: Any,
    data: Data,
    more: dict[str, Any],
    *,
    verbose: bool,
    report: bool,
) -> Run:
    """The run that `work` leaves in `folder`, with its report."""
    from headstart.training.timed import Overhead

    overhead = Overhead(time.monotonic(), REPORT_SECONDS if report else 0.0)
    say = speaker(quiet=not verbose)
    with opened(data, config.data, config.modality) as dataset:
        with progress_display(quiet=not verbose) as display:
            work(
                config, folder, dataset=dataset, overhead=overhead, say=say, display=display, **more
            )
        if report and processes.is_first():
            _draw(folder.path, dataset, say)
    say(f"run: {folder.path}")
    return Run(folder.path)


def _draw(path: Path, dataset: Dataset | None, say: Callable[[str], None]) -> None:
    """The plots, the page and the card of a finished run."""
    from headstart.report import build
    from headstart.report.card import write_card

    say("drawing the report")
    say(f"report: {build(path, dataset=dataset)}")
    write_card(path)
