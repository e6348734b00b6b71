"""What a labelling leaves on disk beside its labels: what it is about, and its models."""

from __future__ import annotations

from pathlib import Path

ASKED = "labelling.yaml"


def is_labelling(folder: Path) -> bool:
    """Whether a folder is a labelling's."""
    return (folder / ASKED).exists()


def models(folder: Path) -> list[Path]:
    """Its fine-tuned runs that are finished, the oldest first."""
    found = (folder / "runs").glob("*/result.json")
    return sorted((path.parent for path in found), key=lambda path: int(path.name))
