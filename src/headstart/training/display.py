"""What a person sees while a run goes on: sentences and progress, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headstart import processes

if TYPE_CHECKING:
    from headstart.training.watching import Display

REPORT_SECONDS = 3.0  # what drawing a report takes at least, as far as --minutes counts it
SECONDS_BETWEEN_LINES = 15  # where there is no terminal to draw a bar on


def speaker(*, quiet: bool) -> Callable[[str], None]:
    """Where sentences for the user go: stderr, or nowhere."""
    if quiet or not processes.is_first():
        return lambda _: None
    return lambda sentence: print(sentence, file=sys.stderr, flush=True)


class _Lines:
    """Progress where there is no terminal: a line now and then."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def update(self, progress: float, text: str) -> None:
        """Say how far training is, if that was not said lately."""
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            print(f"  {min(progress, 1.0):4.0%}  {text}", file=sys.stderr, flush=True)


class _Silence:
    def update(self, progress: float, text: str) -> None:
        """Show nothing."""


@contextmanager
def progress_display(*, quiet: bool) -> Iterator[Display]:
    """A bar on a terminal, lines elsewhere, nothing when quiet."""
    if quiet or not processes.is_first():
        yield _Silence()
    elif not sys.stderr.isatty():
        yield _Lines()
    else:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        class Bar:
            """Adapts rich's bar to the engine's display."""

            def update(self, progress: float, text: str) -> None:
                """Move the bar."""
                bar.update(task, completed=min(progress, 1.0), text=text)

        bar = Progress(
            BarColumn(),
            TextColumn("{task.percentage:3.0f}%"),
            TextColumn("{task.fields[text]}"),
            console=Console(stderr=True),
            transient=True,
        )
        task = bar.add_task("", total=1.0, text="")
        with bar:
            yield Bar()
