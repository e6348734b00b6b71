"""What benchmarks that go on where they stopped have in common."""

from __future__ import annotations

from pathlib import Path

import headstart as hs

QUIET = {"verbose": False, "report": False}  # a benchmark prints figures, and drawing takes time


def finished(out: Path) -> hs.Run | None:
    """The run in a folder, if it came to its end; one that did is read, not repeated."""
    return hs.load(out) if (out / "result.json").exists() else None
