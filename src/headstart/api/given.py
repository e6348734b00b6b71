"""What is given to the functions of Python, as settings, data sets and folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from headstart.data import given, held
from headstart.data.dataset import Dataset
from headstart.data.held import IN_MEMORY
from headstart.errors import UserError, unknown
from headstart.runs.folder import RunFolder
from headstart.settings import as_plain, merge
from headstart.workflows.config import COLUMNS, DataConfig, FinetuneConfig, PretrainConfig
from headstart.workflows.request import durations, nest

Named = str | dict[str, Any]
Inputs = str | Path | Sequence[str | Path] | NDArray[Any]
Data = Any  # a path or a name, or what `held.ACCEPTED` lists
Config = TypeVar("Config", PretrainConfig, FinetuneConfig)
# What says how a source is read; samples in memory are read already.
OF_SOURCES = ("train", "validation", "test", "target", *COLUMNS, "group")


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
        {} if data is None else {"data": {"path": name_of(data)}},
        {"training": {"duration": str(duration)}} if duration else {},
    )


def name_of(data: Data) -> str:
    """The path, or what samples in memory are called in messages and in config.yaml.

    Raises:
        UserError: nobody reads such data.
    """
    if _is_path(data):
        return os.fspath(data)
    if given.is_given(data):
        return given.describe(data)
    if held.is_held(data):
        return held.name_of(data)
    raise UserError(f"data of type {type(data).__name__} are not read.", held.ACCEPTED)


def path_only(data: Data, command: str) -> str:
    """The path of data that have one.

    Raises:
        UserError: they are in memory, and `command` reads them more than once.
    """
    if _is_path(data):
        return os.fspath(data)
    raise UserError(
        f"{command} reads data from disk: give a path or a name, not {name_of(data)}.",
        "Write arrays with numpy.savez (x=, y=), a frame with its to_parquet.",
    )


@contextmanager
def opened(
    data: Data, config: DataConfig, modality: Mapping[str, Any] | None = None
) -> Iterator[Dataset | None]:
    """What is given in memory as a data set with a test split; None for what has a path.

    modality: its settings, whose name says what arrays hold where `config` does not.
    Pictures may be read from disk for as long as the block lasts.
    """
    if data is None or _is_path(data):
        yield None
        return
    from headstart.data.splits import ensure_test

    if config.kind is None and (modality or {}).get("name") == "series":
        config = replace(config, kind="series")
    with in_memory(data, config) as dataset:
        yield ensure_test(dataset, config.split_seed)


@contextmanager
def in_memory(data: Data, config: DataConfig, *, to_learn: bool = True) -> Iterator[Dataset]:
    """What is given in memory as a data set with the splits it has, for as long as that.

    to_learn: train must be among them.
    """
    name = name_of(data)
    from headstart.data.sources import check_to_learn, refuse

    if given.is_given(data):
        from headstart.workflows.assemble import open_source

        with given.on_disk(data, as_plain(config)) as (path, splits):
            named: dict[str, Any] = {"path": path, **splits}
            found = open_source(replace(config, **named), to_learn=False)
            found = replace(found, source=name)
            if to_learn:
                check_to_learn(found)
            yield found
        return
    refuse(name.removesuffix(IN_MEMORY), **{n: getattr(config, n) for n in OF_SOURCES})
    yield held.dataset_of(data, kind=config.kind, layout=config.layout)


@contextmanager
def asked(inputs: Inputs, config: dict[str, Any], columns: Mapping[str, str]) -> Iterator[Inputs]:
    """What `predict` and `embed` are asked of; tables of numbers and names as they are.

    columns: `COLUMNS` that are called otherwise than `config` says.

    Raises:
        UserError: nobody reads such inputs, or there is no such setting.
    """
    for name in columns:
        if name not in COLUMNS:
            raise unknown("setting of predict and embed", name, COLUMNS)
    told = {**config.get("data", {}), **columns}
    name_of(inputs)
    if isinstance(inputs, tuple) and inputs and not _is_path(inputs[0]):
        raise UserError("predict and embed take samples without labels: give X, not (X, y).")
    if not given.is_given(inputs) or config.get("modality", {}).get("name") == "table":
        yield held.plain(inputs)
        return
    with given.on_disk(inputs, told) as (path, _):
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


def _is_path(data: Any) -> bool:
    return isinstance(data, str | os.PathLike)
