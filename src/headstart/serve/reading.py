"""What a request holds → samples, strictly: what does not fit is refused with a sentence.

One reader a kind of data. `Body` is the pydantic model of a JSON body, from which the OpenAPI
description is made too; pictures and sounds may also come as files (multipart/form-data).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, create_model
from torch import Tensor

from headstart.data.cells import joined
from headstart.data.dataset import Samples
from headstart.data.files import Item
from headstart.data.texts import text_array
from headstart.errors import UserError
from headstart.modalities.series import Series
from headstart.modalities.tabular import Table
from headstart.modalities.text import Text

MOST_INPUTS = 64  # samples of one request
LONGEST_TEXT = 100_000  # characters
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Upload:
    """The bytes of a picture or a sound, as `data` reads them from a file."""

    data: bytes
    name: str

    @property
    def size(self) -> int:
        """How many."""
        return len(self.data)

    def read(self) -> bytes:
        """All of them."""
        return self.data

    def __str__(self) -> str:
        return self.name


def _body(name: str, item: Any) -> type[BaseModel]:
    """`{"inputs": [item, ...]}`."""
    inputs: Any = Annotated[list[item], Field(min_length=1, max_length=MOST_INPUTS)]
    fields: dict[str, Any] = {"inputs": (inputs, ...)}
    return create_model(name, __config__=STRICT, **fields)


_TEXT: Any = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT, pattern=r"\S")]
_BYTES: Any = Annotated[str, Field(min_length=4, json_schema_extra={"format": "byte"})]


class Reader:
    """JSON inputs, or files, → compact samples `[n, ...]`.

    Body: `{"inputs": [...]}`. files: whether samples may come as files.
    """

    Body: type[BaseModel]
    files = False

    def __init__(self, modality: Any) -> None:
        self.modality = modality

    def tensor(self, inputs: Sequence[Any]) -> Tensor:
        """As the modality holds samples.

        Raises:
            UserError: one does not fit.
        """
        with np.errstate(over="ignore"):  # what is infinite then has no answer, which is said
            found: Tensor = self.modality.tensor(self.samples(inputs))[0]
        return found

    def samples(self, inputs: Sequence[Any]) -> Samples:
        """As a source would give them."""
        raise NotImplementedError


class Texts(Reader):
    """Strings."""

    Body = _body("Texts", _TEXT)

    def samples(self, inputs: Sequence[Any]) -> Samples:
        """An array of them."""
        return Samples(text_array(list(inputs)), names=_called("text", inputs))


class Encoded(Reader):
    """Pictures or sounds: the bytes of a file, in JSON as base64."""

    files = True
    Body = _body("Encoded", _BYTES)

    def tensor(self, inputs: Sequence[Any]) -> Tensor:
        """Decoded as files are."""
        uploads = [
            item if isinstance(item, Upload) else _upload(item, i) for i, item in enumerate(inputs)
        ]
        rows, bad = self.modality.decoding(cast("list[Item]", uploads))
        if bad:
            first = min(bad)
            raise UserError(f"{uploads[first].name} cannot be read ({bad[first]}).")
        return torch.from_numpy(rows)


class Rows(Reader):
    """Rows of a table: objects, a field a column; null or left out where nothing is known."""

    modality: Table

    def __init__(self, modality: Table) -> None:
        super().__init__(modality)
        cell = str | float | int | bool | None
        fields: dict[str, Any] = {
            f"column_{i}": (
                float | None if column.state()["kind"] == "number" else cell,
                Field(None, alias=column.name),
            )
            for i, column in enumerate(modality.columns)
        }
        row = create_model("Row", __config__=STRICT, **fields)
        self.Body = _body("Rows", row)

    def samples(self, inputs: Sequence[Any]) -> Samples:
        """A structured array: numbers where all cells are, else words."""
        columns: dict[str, Any] = {}
        for column in self.modality.columns:
            cells = [row.get(column.name) for row in inputs]
            numeric = all(c is None or isinstance(c, int | float) for c in cells)
            if numeric and not any(isinstance(c, bool) for c in cells):
                columns[column.name] = np.array([_number(c) for c in cells], np.float64)
            else:
                words = np.empty(len(cells), dtype=object)
                words[:] = [_word(c) for c in cells]
                columns[column.name] = words
        return Samples(joined(columns), names=_called("row", inputs))


class Arrays(Reader):
    """Rows of numbers, or series: nested lists of numbers; null where nothing was measured."""

    def __init__(self, modality: Any) -> None:
        super().__init__(modality)
        self.depth = 2 if isinstance(modality, Series) else 1
        number: Any = float | None if self.depth == 2 else float
        for most in (1_000_000, 10_000)[2 - self.depth :]:
            number = Annotated[list[number], Field(min_length=1, max_length=most)]
        self.Body = _body("Arrays", number)

    def samples(self, inputs: Sequence[Any]) -> Samples:
        """One array `[n, F]`, or `[n, C, T]` filled up with NaN."""
        if self.depth == 1:
            if len({len(row) for row in inputs}) > 1:
                raise UserError("all rows must have as many numbers.")
            return Samples(np.array(inputs, np.float64))
        if len({len(series) for series in inputs}) > 1:
            raise UserError("all series must have as many channels.")
        longest = max(len(channel) for series in inputs for channel in series)
        whole = np.full((len(inputs), len(inputs[0]), longest), np.nan, np.float32)
        for i, series in enumerate(inputs):
            for j, channel in enumerate(series):
                whole[i, j, : len(channel)] = [np.nan if v is None else v for v in channel]
        return Samples(whole, names=_called("series", inputs))


def reader_of(modality: Any) -> Reader:
    """The reader that suits a modality."""
    if isinstance(modality, Text):
        return Texts(modality)
    if isinstance(modality, Table):
        return Rows(modality)
    return Encoded(modality) if modality.decoding is not None else Arrays(modality)


def _number(cell: float | None) -> float:
    if cell is None:
        return np.nan
    try:
        return float(cell)
    except OverflowError:
        raise UserError("a whole number is too large.") from None


def _word(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell == int(cell):
        return str(int(cell))
    return str(cell).strip()


def _called(kind: str, inputs: Sequence[Any]) -> list[str]:
    return [f"{kind} {i + 1}" for i in range(len(inputs))]


def _upload(text: str, i: int) -> Upload:
    """base64, or a data URL of it."""
    _, _, after = text.partition(";base64,")
    try:
        return Upload(base64.b64decode(after or text, validate=True), f"input {i + 1}")
    except (binascii.Error, ValueError):
        raise UserError(f"input {i + 1} is not base64.") from None
