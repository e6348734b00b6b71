"""`metadata.csv` in a folder of pictures: a row for each file, found by `file_name`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from headstart.data.csvs import absent_files, choose_target, read_csv
from headstart.errors import UserError

METADATA = "metadata.csv"


def read_metadata(
    folders: Sequence[Path], files: Sequence[str], target: str | None
) -> tuple[list[str], str | None]:
    """The target of each file as text ("" where there is none), and the column it comes from.

    folders: those that hold a metadata.csv, whose file names are relative to it.
    files: full paths of all pictures.

    Raises:
        UserError: a metadata.csv is malformed, names files that are absent, outside its folder
            or twice, or leaves the target open.
    """
    present = set(files)
    by_file: dict[str, str] = {}
    columns: dict[str | None, Path] = {}
    for folder in folders:
        found, column = _read(folder, present, target)
        columns[column] = folder
        by_file |= found
    if len(columns) > 1:
        listing = "; ".join(f"{folder / METADATA}: {name}" for name, folder in columns.items())
        raise UserError(f"these files have different targets ({listing}).", "Name it: --target.")
    return [by_file.get(file, "") for file in files], next(iter(columns))


def _read(folder: Path, present: set[str], target: str | None) -> tuple[dict[str, str], str | None]:
    table = read_csv(folder / METADATA)
    if "file_name" not in table.columns:
        listing = ", ".join(table.columns)
        raise UserError(f"{table.path} has no column 'file_name'.", f"Its columns: {listing}.")
    rest = [name for name in table.columns if name != "file_name"]
    column = choose_target(table.path, rest, target)
    names = table.column("file_name")
    values = [""] * len(names) if column is None else table.column(column)
    found: dict[str, str] = {}
    missing = []
    for name, value, line in zip(names, values, table.lines, strict=True):
        inside = os.path.normpath(name.replace("\\", "/"))
        if inside.startswith(("..", "/")) or re.match(r"[A-Za-z]:", inside):
            raise UserError(f"{table.path}, line {line}: '{name}' lies outside the folder.")
        key = f"{folder}/{inside}"
        if key in found:
            raise UserError(f"{table.path}, line {line}: '{name}' stands there twice.")
        found[key] = value
        if key not in present:
            missing.append((line, name))
    if missing:
        raise absent_files(table.path, missing, len(names))
    return found, column
