"""Frames and Hugging Face's data sets, where a path is expected.

They are written down where the readers of files find them, for as long as they are needed: a frame
as Parquet, a data set of pictures as its `save_to_disk` writes it. So that what is said of files,
of columns, missing labels and splits, holds for them too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headstart.data.frames import as_table, is_frame, library_of
from headstart.data.held import IN_MEMORY
from headstart.data.manifest import SPLIT_NAMES, usual_file_columns
from headstart.data.table_files import names_files
from headstart.errors import UserError


def is_given(thing: Any) -> bool:
    """Whether it is a frame, a `datasets.Dataset` or `DatasetDict`."""
    return is_frame(thing) or (library_of(thing) == "datasets" and hasattr(thing, "column_names"))


def describe(thing: Any) -> str:
    """What it is called in messages and in config.yaml."""
    return f"a {type(thing).__name__}{IN_MEMORY}"


@contextmanager
def on_disk(thing: Any, read: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """The path of what is given, and of its further splits by name, while it is needed.

    read: how it is read, as in the group `data` of config.yaml. Names of files that a frame lists
        are relative to the working folder.

    Raises:
        UserError: it cannot be written as a table, or a data set has no train split.
    """
    with tempfile.TemporaryDirectory(prefix="headstart-") as place:
        folder = Path(place)
        if library_of(thing) != "datasets":
            path = folder / "frame.parquet"
            _write_frame(thing, path, read)
            yield str(path), {}
        elif _has_pictures(thing):
            with _no_bars():
                thing.save_to_disk(str(folder / "pictures"))
            yield str(folder / "pictures"), {}
        else:
            paths = _write_splits(thing, folder)
            yield paths.pop("train"), paths


def _write_frame(frame: Any, path: Path, read: Mapping[str, Any]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = as_table(frame)
    column = _file_column(table, read)
    if column in table.column_names:
        names = _absolute(table[column].to_pylist())
        table = table.set_column(table.column_names.index(column), column, [names])
    try:
        parquet.write_table(table, path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"the frame cannot be written as a table: {error}.") from error


def _file_column(table: Any, read: Mapping[str, Any]) -> str | None:
    """The column that names files, where the table is one that lists files."""
    asked: str | None = read.get("file_column")
    of_others = (read.get(name) for name in ("text_column", "series_column", "time_column"))
    if asked is not None or any(of_others) or read.get("kind") not in (None, "image", "audio"):
        return asked
    for name in usual_file_columns(table.column_names):
        first = table[name][0].as_py() if len(table) else None
        if name not in (read.get("target"), read.get("group")) and names_files(
            name, str(first or ""), Path()
        ):
            return name
    return None


def _absolute(names: list[Any]) -> list[str | None]:
    """Names of files in the working folder, from wherever they are read; None where there is none.

    The frame itself is written down in another folder.
    """
    return [None if n in (None, "") else str(Path(str(n)).absolute()) for n in names]


def _write_splits(thing: Any, folder: Path) -> dict[str, str]:
    """A Parquet file for each split that has a usual name, classes by their names."""
    splits = dict(thing) if isinstance(thing, dict) else {"train": thing}
    named = {SPLIT_NAMES.get(name, name): split for name, split in splits.items()}
    if "train" not in named:
        raise UserError(f"{describe(thing)} has the splits {', '.join(splits)}, none called train.")
    found = {}
    for name in ("train", "validation", "test"):
        if name in named:
            found[name] = str(folder / f"{name}.parquet")
            with _no_bars():
                _with_names(named[name]).to_parquet(found[name])
    return found


def _with_names(split: Any) -> Any:
    """The split, numbers of classes replaced by the classes' names."""
    from datasets import ClassLabel, Value

    classes = {n: f for n, f in split.features.items() if isinstance(f, ClassLabel)}
    if not classes:
        return split

    def named(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {
            n: [None if v is None or v < 0 else f.int2str(v) for v in rows[n]]
            for n, f in classes.items()
        }

    features = split.features.copy()
    features.update({name: Value("string") for name in classes})
    return split.map(named, batched=True, features=features)


def _has_pictures(thing: Any) -> bool:
    from datasets import Image

    first = next(iter(thing.values())) if isinstance(thing, dict) else thing
    return any(isinstance(feature, Image) for feature in first.features.values())


@contextmanager
def _no_bars() -> Iterator[None]:
    """No progress bars of `datasets` meanwhile."""
    from datasets.utils import logging as theirs

    shown = theirs.is_progress_bar_enabled()
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            theirs.enable_progress_bar()
