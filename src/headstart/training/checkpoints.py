"""Everything a run needs to go on, in one file; the newest two are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headstart import processes
from headstart.errors import UserError
from headstart.runs import state
from headstart.runs.folder import RunFolder

KEPT = 2


def save(folder: RunFolder, step: int, tree: dict[str, Any]) -> None:
    """Write the checkpoint of `step`, then drop all but the newest two. First process only.

    Raises:
        UserError: it cannot be written; older checkpoints are untouched.
    """
    if not processes.is_first():
        return
    state.save(folder.checkpoints / f"step-{step:010d}.safetensors", tree)
    for old in folder.checkpoint_files()[KEPT:]:
        old.unlink(missing_ok=True)


def newest(folder: RunFolder, say: Callable[[str], None] = lambda _: None) -> dict[str, Any] | None:
    """The newest checkpoint that is whole; None when there is none at all.

    Damaged ones that are newer are said and removed, or they would count among the two kept.

    Raises:
        UserError: there are checkpoints, and every one is damaged.
    """
    damaged: dict[Any, str] = {}
    for path in folder.checkpoint_files():
        try:
            tree: dict[str, Any] = state.load(path)
        except UserError as error:
            damaged[path] = error.message
            continue
        for bad, message in damaged.items():
            say(f"{message} The checkpoint before it is taken.")
            bad.unlink(missing_ok=True)
        return tree
    if damaged:
        raise UserError(
            f"no checkpoint of {folder.path} can be read.",
            *damaged.values(),
            "Start again with --overwrite.",
        )
    return None
