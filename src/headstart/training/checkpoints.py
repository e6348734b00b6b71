"""Everything a run needs to go on, in one file; the newest two are kept."""

from __future__ import annotations

from typing import Any

from headstart.errors import UserError
from headstart.runs import state
from headstart.runs.folder import RunFolder

KEPT = 2


def save(folder: RunFolder, step: int, tree: dict[str, Any]) -> None:
    """Write the checkpoint of `step`, then drop all but the newest two.

    Raises:
        UserError: it cannot be written; older checkpoints are untouched.
    """
    state.save(folder.checkpoints / f"step-{step:010d}.safetensors", tree)
    for old in folder.checkpoint_files()[KEPT:]:
        old.unlink(missing_ok=True)


def newest(folder: RunFolder) -> dict[str, Any] | None:
    """The newest checkpoint that is whole; None when there is none at all.

    Raises:
        UserError: there are checkpoints, and every one is damaged.
    """
    damage: list[str] = []
    for path in folder.checkpoint_files():
        try:
            tree: dict[str, Any] = state.load(path)
        except UserError as error:
            damage.append(error.message)
            continue
        return tree
    if damage:
        raise UserError(
            f"no checkpoint of {folder.path} can be read.",
            *damage,
            "Start again with --overwrite.",
        )
    return None
