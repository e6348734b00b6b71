"""Runs begun from Python: `pretrain`, `finetune`; and `inspect`, before either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headstart.api.given import Data, Named, folder_for, named, opened, path_of, raw_of
from headstart.api.run import Run
from headstart.workflows.config import DataConfig, FinetuneConfig, PretrainConfig
from headstart.workflows.request import config_of, layered, nest


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

    parts = {"objective": named(objective), "backbone": named(backbone)}
    flags = raw_of(PretrainConfig, data, settings, parts, (epochs, steps, minutes))
    whole = config_of(PretrainConfig, layered(preset, path_of(config), flags, []))
    with (
        folder_for(out, "pretrain", resume=resume, overwrite=overwrite) as folder,
        opened(data, whole.data) as dataset,
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
        "task": named(task),
        "backbone": named(backbone),
        "finetune": {} if mode is None else {"mode": mode},
    }
    flags = raw_of(FinetuneConfig, data, settings, parts, (epochs, steps, minutes))
    if start is not None:
        flags["start"] = str(start.path if isinstance(start, Run) else start)
    whole = config_of(FinetuneConfig, layered(preset, path_of(config), flags, []))
    with (
        folder_for(out, "finetune", resume=resume, overwrite=overwrite) as folder,
        opened(data, whole.data) as dataset,
    ):
        work(whole, folder, dataset=dataset, resume=resume)
    return Run(folder.path)
