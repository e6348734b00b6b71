"""Frames of pandas, polars, pyarrow, and of whatever else speaks Arrow's stream."""

from __future__ import annotations

from typing import Any

from headstart.errors import UserError


def library_of(thing: Any) -> str:
    """The package that a value's class comes from."""
    return type(thing).__module__.split(".")[0]


def is_frame(thing: Any) -> bool:
    """Whether it is a table of named columns, whose rows can be had through Arrow."""
    library = library_of(thing)
    if library in ("pandas", "pyarrow"):
        return hasattr(thing, "columns")
    # A column by itself speaks Arrow too, and has one type.
    return (
        library != "datasets"
        and hasattr(thing, "__arrow_c_stream__")
        and not hasattr(thing, "dtype")
    )


def as_table(frame: Any) -> Any:
    """A frame as a `pyarrow.Table`.

    Raises:
        UserError: its columns are not what a table can hold.
    """
    import pyarrow as pa

    try:
        if library_of(frame) == "pandas":
            return pa.Table.from_pandas(frame, preserve_index=False)
        return pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise UserError(f"the frame cannot be read as a table: {error}.") from error
