"""What a person sees while a comparison goes on, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from headstart.study import results
from headstart.study.figures import in_words, kind_of
from headstart.study.plan import Item, Plan
from headstart.study.table import rows
from headstart.study.work import Board, Silent

if TYPE_CHECKING:
    from rich.table import Table


@contextmanager
def board_for(*, quiet: bool) -> Iterator[Board]:
    """A live table on a terminal, a line for each figure elsewhere, nothing when quiet."""
    if quiet:
        yield Silent()
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(stderr=True), transient=True, refresh_per_second=4) as live:
            yield _Table(live)
    else:
        yield _Lines()


class _Lines:
    """Says each figure when it is there."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str, int]] = set()

    def begun(self, item: Item) -> None:
        """Say so of what takes long."""
        if item.kind != "cell":
            print(f"  {item.name} ...", file=sys.stderr, flush=True)

    def update(self, progress: float, text: str) -> None:
        """Nothing: the next figure is soon there."""

    def look(self, plan: Plan, open_items: int) -> None:
        """Say what is new."""
        metric = results.metric_of(plan)
        total = len(plan.items)
        for cell in results.finished(plan):
            key = (cell["method"], str(cell["asked"]), cell["seed"])
            if key in self._said:
                continue
            self._said.add(key)
            figure = kind_of(metric).write(cell["figures"].get(metric))
            print(
                f"  {cell['method']}, {cell['labels']:,} labels, draw {cell['seed']}:"
                f" {in_words(metric)} {figure}   ({total - open_items} of {total} done)",
                file=sys.stderr, flush=True,
            )  # fmt: skip


class _Table:
    """The table of means so far, and what this process is at."""

    def __init__(self, live: Any) -> None:
        self._live = live
        self._now = ""
        self._rows: list[list[str]] = []
        self._begun = time.monotonic()

    def begun(self, item: Item) -> None:
        """Show it beneath the table."""
        self._now = item.name
        self._draw("")

    def update(self, progress: float, text: str) -> None:
        """Show it beneath the table."""
        self._draw(f"{min(progress, 1.0):4.0%}  {text}")

    def look(self, plan: Plan, open_items: int) -> None:
        """Draw the table anew."""
        self._rows = rows(results.gather(plan))
        self._head = f"{len(plan.items) - open_items} of {len(plan.items)} done"
        self._draw("")

    def _draw(self, text: str) -> None:
        from rich.table import Table

        if not self._rows:
            return
        minutes = (time.monotonic() - self._begun) / 60
        caption = f"{self._head}, {minutes:.0f} min; {self._now} {text}"
        table: Table = Table(*self._rows[0], caption=caption)
        for row in self._rows[1:]:
            table.add_row(*row)
        self._live.update(table)
