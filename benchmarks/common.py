"""What benchmarks that go on where they stopped have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

import headstart as hs

QUIET = {"verbose": False, "report": False}  # a benchmark prints figures, and drawing takes time


def finished(out: Path) -> hs.Run | None:
    """The run in a folder, if it came to its end; one that did is read, not repeated."""
    return hs.load(out) if (out / "result.json").exists() else None


def written(path: Path, settings: dict[str, Any]) -> Path:
    """A file of settings, for `config`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path
