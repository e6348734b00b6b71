"""Tables: columns of numbers, categories, booleans and dates, one float tensor `[N, F]`.

Numbers come first, normalised by rank, then codes of categories. Identifiers and free text are
left out. What each column means is inferred from train (`data.columns`) or said by the user.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.data.cells import is_missing, is_table
from headstart.data.columns import Meaning, date_format, infer
from headstart.data.dataset import Numbered, Samples
from headstart.errors import UserError, nearest
from headstart.modalities.augment.swap import swapped
from headstart.modalities.base import Strength
from headstart.modalities.columns import UNSEEN, Category, Column, Date, Number, column_from
from headstart.modalities.numeric import Numeric
from headstart.settings import Settings, setting
from headstart.types import Spec

LEFT_OUT = ("identifier", "text", "ignore")


class TableConfig(Settings):
    """What columns mean, and how they become numbers."""

    types: dict[str, Meaning] = setting(
        factory=dict,
        help="what a column is, where that is not what was inferred: types.age=category; number,"
        " category, boolean, date, identifier, text or ignore",
        flag="",
    )
    numbers: Literal["rank", "standard"] = setting(
        "rank", "numbers are normalised by their rank in train, or by mean and deviation", flag=""
    )
    rare: int = setting(
        3,
        "values of a category that train has less often count as one, with unseen ones",
        flag="",
        least=0,
    )
    swap: float = setting(
        0.0, "share of values that augmentation replaces by another row's", least=0, most=1
    )
    strong_swap: float = setting(
        0.6, "the same for strong augmentation; 0.6 is SCARF's", flag="", least=0, most=1
    )


class Table:
    """See `base.Modality`."""

    default_backbone: ClassVar[str] = "tabm"
    default_objective: ClassVar[str] = "vime"
    Config: ClassVar[type[Settings]] = TableConfig

    def __init__(
        self,
        columns: list[Column],
        left_out: dict[str, str],
        swap: dict[Strength, float],
        notes: Sequence[str] = (),
    ) -> None:
        self.columns, self.left_out, self.swap = columns, left_out, swap
        self.notes = list(notes)

    @staticmethod
    def suited(samples: Samples) -> type[Any]:
        """What reads such samples: rows without names of columns are plain numbers."""
        return Table if is_table(samples.inputs) else Numeric

    @classmethod
    def fit(cls, train: Samples, config: TableConfig) -> Table:
        """Learn from train what columns mean, their values and their curves.

        Raises:
            UserError: a column of numbers has a word in it, or none is left to learn from.
        """
        table = np.asarray(train.inputs)
        names = _names(train)
        known = table.dtype.names or ()
        for name in config.types:
            if name not in known:
                guess = nearest(name, known)
                raise UserError(
                    f"modality.types.{name}: there is no such column.",
                    f"{f'Did you mean {guess}? ' if guess else ''}Columns: {', '.join(known)}.",
                )
        columns: list[Column] = []
        left_out: dict[str, str] = {}
        for name in known:
            meaning = config.types.get(name) or infer(name, table[name])
            if meaning in LEFT_OUT or bool(is_missing(table[name]).all()):
                left_out[name] = meaning
            else:
                columns.append(_fitted(name, meaning, table[name], names, config))
        if not columns:
            out = ", ".join(f"{name} ({meaning})" for name, meaning in left_out.items())
            raise UserError(
                f"no column is left to learn from: {out}.",
                "Say what one is: --set modality.types.NAME=number",
            )
        swap: dict[Strength, float] = {"weak": config.swap, "strong": config.strong_swap}
        return cls(columns, left_out, swap, _notes(columns, left_out, table))

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Any:
        """What `state()` described, or `Numeric`'s."""
        if "columns" not in state:
            return Numeric.from_state(state)
        columns = [column_from(column) for column in state["columns"]]
        return cls(columns, dict(state["left_out"]), dict(state["swap"]))

    def state(self) -> dict[str, Any]:
        """Everything fitted, as JSON can hold it."""
        return {
            "modality": "table",
            "columns": [column.state() for column in self.columns],
            "left_out": self.left_out,
            "swap": self.swap,
        }

    @property
    def spec(self) -> Spec:
        """`(F,)` mixed: numbers, then codes."""
        edges = tuple(tuple(edge) for column in self.columns for edge in column.edges)
        cardinalities = tuple(c for column in self.columns for c in column.cardinalities)
        shape = (len(edges) + len(cardinalities),)
        return Spec("mixed", shape, cardinalities=cardinalities, edges=edges)

    def tensor(self, samples: Samples, *, on_bad: str = "fail") -> tuple[Tensor, list[int]]:  # noqa: ARG002 - a cell that is wrong is named
        """`float32 [N, F]`; columns may come in any order, and others beside them.

        Raises:
            UserError: a column is lacking, or holds something else than in train.
        """
        table = np.asarray(samples.inputs)
        self._check(table)
        names = _names(samples)
        whole = torch.empty(len(samples), *self.spec.shape)
        at, codes_at = 0, len(self.spec.edges)
        for column in self.columns:
            cells = table[column.name]
            numbers, codes = column.numbers(cells, names), column.codes(cells)
            whole[:, at : at + numbers.shape[1]] = torch.from_numpy(numbers)
            whole[:, codes_at : codes_at + codes.shape[1]] = torch.from_numpy(codes)
            at, codes_at = at + numbers.shape[1], codes_at + codes.shape[1]
        return whole, []

    def _check(self, table: NDArray[Any]) -> None:
        there = table.dtype.names
        if there is None:
            raise UserError(
                f"a table with the columns {_listed([c.name for c in self.columns])} was expected;"
                " these are rows of numbers without names.",
                "Give a file or a frame with those columns.",
            )
        lacking = [column.name for column in self.columns if column.name not in there]
        if lacking:
            more = f" (and {len(lacking) - 1} more)" if lacking[1:] else ""
            guess = nearest(lacking[0], there)
            raise UserError(
                f"column '{lacking[0]}'{more} is lacking; the run learned from it.",
                *([f"Is it the one called '{guess}' here?"] if guess else []),
                f"There are: {_listed(there)}. If it is the target, pre-train with --target"
                f" {lacking[0]} too, so that it is not learned from.",
            )

    @property
    def decoding(self) -> None:
        """Rows come decoded."""
        return None

    def prepare(self, x: Tensor) -> Tensor:
        """Nothing is left to do."""
        return x

    def augment(self, x: Tensor, strength: Strength = "weak") -> Tensor:
        """Replace a share of the values by those of other rows (SCARF, arXiv:2106.15147)."""
        share = self.swap[strength]
        return swapped(x, share)[0] if share else x

    def describe(self, x: Tensor) -> None:  # noqa: ARG002 - columns of any kind
        """Nothing is known of columns in general."""
        return


def _names(samples: Samples) -> Sequence[str]:
    """What to call the rows in messages."""
    return Numbered("row ", np.arange(len(samples))) if samples.names is None else samples.names


def _fitted(
    name: str, meaning: Meaning, cells: NDArray[Any], names: Sequence[str], config: TableConfig
) -> Column:
    if meaning == "number":
        return Number.fit(name, cells, names, ranks=config.numbers == "rank")
    if meaning == "date":
        form = date_format(cells[~is_missing(cells)])
        if form is None:
            raise UserError(
                f"column '{name}' is said to hold dates, and not all of its cells are.",
                "Write them all as 2026-11-25.",
            )
        return Date.fit(name, cells, names, form)
    return Category.fit(name, cells, meaning, config.rare)


def _notes(columns: list[Column], left_out: dict[str, str], table: NDArray[Any]) -> list[str]:
    kinds: dict[str, list[str]] = {}
    for column in columns:
        kinds.setdefault(column.kind, []).append(column.name)  # type: ignore[attr-defined]
    notes = ["; ".join(f"{kind}: {_listed(members)}" for kind, members in kinds.items())]
    notes[0] = f"columns: {notes[0]} (--set modality.types.NAME=KIND overrules)"
    if left_out:
        notes.append(
            "left out: " + ", ".join(f"{name} ({meaning})" for name, meaning in left_out.items())
        )
    rare = [c.name for c in columns if isinstance(c, Category) and UNSEEN in c.codes(table[c.name])]
    if rare:
        notes.append(f"rare values count as one in {_listed(rare)} (modality.rare)")
    return notes


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
