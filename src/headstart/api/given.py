"""What is given to the functions of Python, as settings, data sets and folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from headstart.data.given import describe, is_given, on_disk
from headstart.errors import UserError
from headstart.runs.folder import RunFolder
from headstart.settings import merge
from headstart.workflows.config import DataConfig, FinetuneConfig, PretrainConfig
from headstart.workflows.request import durations, nest

Named = str | dict[str, Any]
Inputs = str | Path | Sequence[str | Path] | NDArray[Any]
Data = Any  # str | Path, a DataFrame, a datasets.Dataset or DatasetDict
Config = TypeVar("Config", PretrainConfig, FinetuneConfig)


def raw_of(
    cls: type[Config],
    data: Data,
    settings: dict[str, Any],
    parts: dict[str, dict[str, Any]],
    length: tuple[float | None, float | None, float | None],
) -> dict[str, Any]:
    """Raw settings of a training: `settings` by flag, named parts, the data, and its length.

    length: epochs, steps and minutes, one of them at most.
    """
    duration = durations(*length)
    return merge(
        nest(cls, settings),
        {name: part for name, part in parts.items() if part},
        {"data": {"path": describe(data) if is_given(data) else str(data)}},
        {"training": {"duration": str(duration)}} if duration else {},
    )


@contextmanager
def opened(data: Data, config: DataConfig) -> Iterator[Any]:
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
def asked(inputs: Inputs, config: dict[str, Any]) -> Iterator[Inputs]:
    """What `predict` and `embed` are asked of; tables of numbers and names as they are."""
    told = config.get("data", {})
    if not is_given(inputs) or config.get("modality", {}).get("name") == "table":
        yield inputs
        return
    with on_disk(inputs, told.get("file_column")) as (path, _):
        yield path


def named(part: Named | None) -> dict[str, Any]:
    """A component's raw settings."""
    return {"name": part} if isinstance(part, str) else dict(part or {})


def path_of(config: str | Path | None) -> Path | None:
    """The file of settings that was named, if one was."""
    return None if config is None else Path(config)


def folder_for(out: str | Path | None, stem: str, *, resume: bool, overwrite: bool) -> RunFolder:
    """The folder of a run to be made: the one asked for, or the next free one in `runs/`."""
    if out is not None:
        return RunFolder.create(out, resume=resume, overwrite=overwrite)
    if resume:
        raise UserError("resume continues a run: name its folder with out=.")
    number = 1
    while Path("runs", f"{stem}-{number}").exists():
        number += 1
    return RunFolder.create(Path("runs", f"{stem}-{number}"), resume=False, overwrite=False)
