"""Where a run's samples came from, so that they are known again from another folder.

Under another name too: a figure on what a run learned from would flatter it.

`result.json` keeps under `source` the absolute paths of what `config.yaml` names as it was typed,
and prints of some samples of train: digests of what they hold, whatever they are called.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.corpus import Corpus
from headstart.data.dataset import Dataset, Samples
from headstart.data.files import Files
from headstart.data.mapped import Mapped
from headstart.data.named_table import NAMED
from headstart.data.remote import is_remote
from headstart.modalities.base import Modality
from headstart.settings import Faults, resolve
from headstart.workflows.config import DataConfig

PRINTS = 128  # samples of train that are remembered
DIGITS = 12  # of each print
MOST = 50_000  # samples that are looked at for them
CHUNK = 1_000  # of them that are copied at once
DISTINCT = 0.95  # of the prints, below which equal samples are usual and tell nothing
SHARE = 0.05  # of the prints found again, from which on somebody should know


def source_of(data: DataConfig, dataset: Dataset, modality: Modality) -> dict[str, Any]:
    """What `result.json` keeps under `source`."""
    return {**_places(data), "prints": _remembered(dataset.train, columns_of(modality))}


def learned_from(config: dict[str, Any], result: dict[str, Any]) -> DataConfig:
    """The data of a run's settings, their paths as they are from any folder.

    Runs that do not know theirs keep them as they were typed; so do those whose data have gone
    from where they were.
    """
    faults = Faults()
    data = resolve(DataConfig, config.get("data", {}), faults, "data")
    faults.raise_if_any()
    assert data is not None
    known = result.get("source", {})
    there = {
        name: str(known[name])
        for name in ("path", "train", "validation", "test")
        if name in known and _exists(Path(known[name]))
    }
    return replace(data, **there)  # type: ignore[arg-type]


def columns_of(modality: Modality) -> Sequence[str]:
    """Names of the columns that a modality of tables learned from."""
    return [column.name for column in getattr(modality, "columns", ())]


def found_again(result: dict[str, Any], samples: Samples, columns: Sequence[str]) -> float | None:
    """The share of the remembered samples of train that are among these; None if none were.

    Of very many samples some are looked at, and the share is an estimate.
    """
    joined = str(result.get("source", {}).get("prints", ""))
    known = {joined[i : i + DIGITS] for i in range(0, len(joined), DIGITS)}
    if not known:
        return None
    rows = np.sort(np.random.default_rng(0).permutation(len(samples))[:MOST])
    found: set[str] = set()
    for start in range(0, len(rows), CHUNK):
        found |= known.intersection(_prints(samples.take(rows[start : start + CHUNK]), columns))
    share = len(found) / len(known)
    return min(1.0, share * len(samples) / max(1, len(rows)))


def _places(data: DataConfig) -> dict[str, str]:
    """Absolute paths of the source and of splits that are named, where they are paths."""
    source = Path(data.path).expanduser()
    root = source if source.is_dir() else source.parent
    found = {}
    for name in ("path", "train", "validation", "test"):
        value = getattr(data, name)
        if not value or is_remote(value) or (name == "path" and value in NAMED):
            continue
        path = Path(value).expanduser()
        if name != "path" and (root / value).exists() and not path.is_absolute():
            continue  # a part of the source, found there from any folder
        if _exists(path):
            found[name] = str(path.absolute())
    return found


def _exists(path: Path) -> bool:
    """Whether it is there, or could be: a pattern of shards in a folder."""
    return path.exists() or ("{" in path.name and path.parent.is_dir())


def _remembered(train: Samples, columns: Sequence[str]) -> str:
    """Prints of some samples one after the other; none where many samples are equal."""
    if isinstance(train.inputs, Corpus):
        return ""
    rows = np.random.default_rng(0).permutation(len(train))[:PRINTS]
    found = _prints(train.take(np.sort(rows)), columns)
    distinct = dict.fromkeys(found)
    return "".join(distinct) if len(distinct) >= DISTINCT * len(found) else ""


def _prints(samples: Samples, columns: Collection[str]) -> list[str]:
    """A digest of what each sample holds; files that cannot be read have none."""
    inputs = samples.inputs
    if isinstance(inputs, Files):
        held = (_bytes(inputs, i) for i in range(len(inputs)))
        return [_digest(data) for data in held if data is not None]
    if isinstance(inputs, Mapped):
        inputs = inputs.read()
    if not isinstance(inputs, np.ndarray):
        return []
    if inputs.dtype.names is not None:
        names = sorted(set(columns) & set(inputs.dtype.names))
        cells = [inputs[name].tolist() for name in names]
        return [_digest(repr(row).encode()) for row in zip(*cells, strict=True)]
    if inputs.dtype.kind in "OU":
        return [_digest(repr(cell).encode()) for cell in inputs.tolist()]
    rows: NDArray[Any] = np.ascontiguousarray(inputs)
    return [_digest(row.tobytes()) for row in rows]


def _bytes(files: Files, index: int) -> bytes | None:
    item = files[index]
    try:
        return item.read_bytes() if isinstance(item, Path) else item.read()
    except OSError:
        return None


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=DIGITS // 2).hexdigest()
