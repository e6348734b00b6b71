"""Name → class tables that cost nothing to list.

A row is `name: ("module:Class", "one-line summary")`. The module is imported when its row is
loaded, never before: `headstart list` and `--help` read names and summaries without torch.
Other packages add rows through entry points of the same group (`headstart.objectives`, ...).
A family stands for any number of names that begin alike: `hub:NAME`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from headstart.errors import UserError, unknown

Row = tuple[str, str]


@cache
def announced() -> Any:  # EntryPoints, which Python 3.11 still calls something else
    """What installed packages announce: read once for all tables, as every package is looked at."""
    return entry_points()


class Table(Mapping[str, str]):
    """Maps names to summaries; `load(name)` imports what a name stands for."""

    def __init__(
        self, kind: str, rows: Mapping[str, Row], families: Mapping[str, Row] | None = None
    ) -> None:
        self.kind = kind
        self._own = dict(rows)
        self._families = dict(families or {})

    @property
    def families(self) -> dict[str, str]:
        """Summaries of the families, by how their names begin, as `hub:NAME`."""
        return {f"{name}:NAME": summary for name, (_, summary) in self._families.items()}

    def member(self, name: str, raw: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """What `name` with the settings `raw` stands for, and its settings.

        A family completes the settings of its members; all others are left as they are.

        Raises:
            UserError: no row has that name, or the family has no such member.
        """
        family, colon, rest = name.partition(":")
        if not colon or family not in self._families:
            return self.load(name), raw
        found: tuple[Any, dict[str, Any]] = _imported(self._families[family][0])(rest, raw)
        return found

    @cached_property
    def _plugins(self) -> dict[str, EntryPoint]:
        kind = self.kind.replace(" ", "_")
        plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
        return {point.name: point for point in announced().select(group=f"headstart.{plural}")}

    def __getitem__(self, name: str) -> str:
        if name in self._own:
            return self._own[name][1]
        return f"from {self._plugins[name].value}"

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from (name for name in self._plugins if name not in self._own)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def load(self, name: str) -> Any:
        """Import what `name` stands for.

        Raises:
            UserError: no row has that name, or a plug-in's row cannot be imported.
        """
        if name in self._own:
            return _imported(self._own[name][0])
        if name not in self._plugins:
            raise unknown(self.kind, name, [*self, *self.families])
        point = self._plugins[name]
        try:
            return point.load()
        except (ImportError, AttributeError) as error:
            raise UserError(
                f"the {self.kind} '{name}' is announced as {point.value} but cannot be imported: "
                f"{error}.",
                "Mend or uninstall the package that provides it.",
            ) from error


def _imported(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
