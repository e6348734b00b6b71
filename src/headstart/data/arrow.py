"""Pictures in Arrow and Parquet files: a column of encoded bytes, others that may be targets.

`save_to_disk` of Hugging Face `datasets` writes Arrow files, which are left where they are: the
bytes of each picture are found in them once and read from the file when they are wanted. Parquet
compresses its cells, so its rows are copied once to an Arrow file in the cache folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.caches import place
from headstart.data.csvs import choose_target, parse_targets
from headstart.data.dataset import SPLITS, Dataset, Samples
from headstart.data.files import Files, blob, places
from headstart.data.manifest import SPLIT_NAMES
from headstart.errors import UserError
from headstart.runs.atomic import write_with

if TYPE_CHECKING:
    import pyarrow as pa

PICTURE_COLUMNS = ("image", "img", "picture", "photo", "jpg", "png")
ROWS = 1_000  # of a Parquet file in memory at once


@dataclass(frozen=True)
class Column:
    """The pictures of one Arrow file: where their bytes lie, and the other columns."""

    path: Path
    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    others: dict[str, list[Any]]
    classes: dict[str, list[str]]


def is_saved_dataset(path: Path) -> bool:
    """Whether `datasets.save_to_disk` wrote this folder."""
    return any((path / name).is_file() for name in ("dataset_dict.json", "state.json"))


def read_saved_dataset(path: Path, target: str | None) -> Dataset:
    """What `datasets.save_to_disk` wrote: one data set, or one for each split.

    Raises:
        UserError: a file is missing or damaged, there are no pictures, or no train split.
    """
    folders = {"train": path}
    if (path / "dataset_dict.json").is_file():
        names = _json(path / "dataset_dict.json").get("splits", [])
        folders = {SPLIT_NAMES.get(name, name): path / name for name in names}
    files: dict[str, list[Path]] = {}
    for split, folder in folders.items():
        listed = _json(folder / "state.json").get("_data_files", [])
        files[split] = [folder / entry["filename"] for entry in listed]
    return _dataset(path, files, target)


def read_picture_files(given: dict[str, Path], target: str | None) -> Dataset:
    """Pictures of `.parquet` or `.arrow` files, one for each split.

    Raises:
        UserError: a file is damaged or has no column of pictures.
    """
    return _dataset(given["train"], {split: [path] for split, path in given.items()}, target)


def has_pictures(path: Path) -> bool:
    """Whether a Parquet or Arrow file has a column of encoded pictures."""
    return _picture_column(_schema(path)) is not None


def _dataset(source: Path, files: dict[str, list[Path]], target: str | None) -> Dataset:
    left_out = [split for split in files if split not in SPLITS]
    if len(left_out) == len(files):
        raise UserError(f"{source} has the splits {', '.join(files)}, none of a usual name.")
    read = {s: [_column(path) for path in files[s]] for s in SPLITS if s in files}
    columns = [column for part in read.values() for column in part]
    names = list(columns[0].others) if columns else []
    chosen = choose_target(source, names, target)
    rows = [len(column.offset) for column in columns]
    if not sum(rows):
        raise UserError(f"{source} holds no rows.")
    where = Files(
        places(
            str(source),
            [str(column.path) for column in columns],
            rows,
            blob([f"row {i}" for count in rows for i in range(count)]),
            stamp=[str(column.path.stat().st_mtime_ns) for column in columns],
            ranges=(
                np.concatenate([column.offset for column in columns]),
                np.concatenate([column.size for column in columns]),
            ),
        )
    )
    whole = Samples(where)
    if chosen is not None:
        values = [value for column in columns for value in _texts(column, chosen)]
        places_ = [f"{c.path}, row {i}" for c in columns for i in range(len(c.offset))]
        whole = Samples(where, *parse_targets(values, places_))
    splits = whole.cut({s: sum(len(c.offset) for c in part) for s, part in read.items()})
    notes = [f"splits of other names were left out: {', '.join(left_out)}"] if left_out else []
    return Dataset(str(source), "image", splits, chosen, names, notes)


def _texts(column: Column, name: str) -> list[str]:
    """Targets as text; numbers of classes as the classes' names."""
    if name not in column.others:
        raise UserError(f"{column.path} has no column '{name}', which other files have.")
    classes = column.classes.get(name)
    values = column.others[name]
    if classes is None:
        return ["" if value is None else str(value) for value in values]
    return ["" if v is None or not 0 <= v < len(classes) else classes[v] for v in values]


def _column(path: Path) -> Column:
    """The pictures of a file; a Parquet or a compressed Arrow file is unpacked first."""
    found = _mapped(path) if path.suffix.lower() != ".parquet" else None
    if found is not None:
        return found
    found = _mapped(_unpacked(path))
    assert found is not None  # it was written uncompressed
    return found


def _mapped(path: Path) -> Column | None:
    """None where the file is compressed."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source:
            whole = source.read_buffer()
            reader = _reader(whole)
            name = _picture_column(reader.schema)
            if name is None:
                raise UserError(
                    f"{path} has no column of pictures as bytes; its columns:"
                    f" {', '.join(reader.schema.names)}."
                )
            offset: list[NDArray[np.int64]] = []
            size: list[NDArray[np.int64]] = []
            others: dict[str, list[Any]] = {n: [] for n in _scalars(reader.schema) if n != name}
            for batch in _batches(reader):
                cells = batch.column(name)
                cells = cells.field("bytes") if pa.types.is_struct(cells.type) else cells
                if cells.null_count:
                    row = sum(map(len, offset)) + cells.is_null().to_pylist().index(True)
                    raise UserError(f"{path}, row {row}, column '{name}': there are no bytes.")
                starts, data = _starts(cells), cells.buffers()[2]
                if len(cells) and data is not None:
                    begin = data.address - whole.address
                    if not 0 <= begin <= whole.size - data.size:
                        return None
                    offset.append(starts[:-1] + begin)
                    size.append(np.diff(starts))
                for other in others:
                    others[other] += batch.column(other).to_pylist()
            schema = reader.schema
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} is not a readable Arrow file ({error}).") from error
    empty = np.zeros(0, np.int64)
    return Column(
        path,
        np.concatenate([empty, *offset]),
        np.concatenate([empty, *size]),
        others,
        _classes(schema),
    )


def _starts(cells: pa.Array) -> NDArray[np.int64]:
    """`[n + 1]`: where each cell begins within the data, and where the last ends."""
    import pyarrow as pa

    wide = pa.types.is_large_binary(cells.type)
    raw = np.frombuffer(cells.buffers()[1], np.int64 if wide else np.int32)
    return raw[cells.offset : cells.offset + len(cells) + 1].astype(np.int64)


def _reader(source: Any) -> Any:
    import pyarrow as pa

    if bytes(source[:6]) == b"ARROW1":
        return pa.ipc.open_file(source)
    return pa.ipc.open_stream(source)


def _batches(reader: Any) -> Any:
    if hasattr(reader, "num_record_batches"):
        return (reader.get_batch(i) for i in range(reader.num_record_batches))
    return reader


def _schema(path: Path) -> pa.Schema:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() == ".parquet":
            return pq.read_schema(path)
        with pa.memory_map(str(path)) as source:
            return _reader(source.read_buffer()).schema
    except (pa.ArrowException, OSError) as error:
        kind = "Parquet" if path.suffix.lower() == ".parquet" else "Arrow"
        raise UserError(f"{path} is not a readable {kind} file ({error}).") from error


def _picture_column(schema: pa.Schema) -> str | None:
    """The first column of bytes, those with usual names before others."""
    import pyarrow as pa

    def binary(kind: Any) -> bool:
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    found = []
    for field in schema:
        inner = field.type
        if pa.types.is_struct(inner) and inner.get_field_index("bytes") >= 0:
            inner = inner.field("bytes").type
        if binary(inner):
            found.append(field.name)
    usual = [name for name in found if name.lower() in PICTURE_COLUMNS]
    return next(iter([*usual, *found]), None)


def _scalars(schema: pa.Schema) -> list[str]:
    import pyarrow as pa

    return [f.name for f in schema if pa.types.is_primitive(f.type) or pa.types.is_string(f.type)]


def _classes(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of classes by column, as Hugging Face `datasets` notes them in the schema."""
    noted = (schema.metadata or {}).get(b"huggingface")
    with suppress(ValueError, AttributeError, TypeError):
        features = json.loads(noted or b"{}").get("info", {}).get("features", {})
        return {
            name: feature["names"]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    return {}


def _unpacked(path: Path) -> Path:
    """An uncompressed copy in the cache folder, made when the file is first seen or has changed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = path.stat()
    stamp = f"{found.st_mtime_ns} {found.st_size}"
    copy = place("unpacked", str(path.absolute()), stamp)
    if copy is None:
        raise UserError(
            f"{path} must be unpacked, and the cache folder cannot be written.",
            "Say where with the environment variable HEADSTART_CACHE.",
        )
    if copy.is_file():
        return copy

    def write(temporary: Path) -> None:
        if path.suffix.lower() == ".parquet":
            with pq.ParquetFile(path) as source:
                _write(temporary, source.schema_arrow, source.iter_batches(ROWS))
        else:
            with pa.memory_map(str(path)) as source:
                reader = _reader(source.read_buffer())
                _write(temporary, reader.schema, _batches(reader))

    try:
        write_with(copy, write)
    except pa.ArrowException as error:
        raise UserError(f"{path} is damaged ({error}).", "Fetch it again.") from error
    return copy


def _write(path: Path, schema: pa.Schema, batches: Sequence[Any]) -> None:
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}.") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} is malformed: expected a JSON object.")
    return value
