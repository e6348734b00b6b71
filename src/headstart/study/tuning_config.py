"""What `headstart tune` can be told beyond a fine-tuning's settings. Does not import torch."""

from __future__ import annotations

from headstart.errors import UserError
from headstart.settings import Settings, setting

ASKED = "asked.yaml"  # in a search's folder: a fine-tuning's settings, and beside them
SEARCH = "search"  # the search's own


class TuneConfig(Settings):
    """How long to search, and how each trial is judged."""

    trials: int | None = setting(
        None,
        "settings to try in all, by all processes together; by default 30, or what --minutes allow",
        least=1,
    )
    folds: int | None = setting(
        None,
        "parts of the labels that take turns to validate; by default 3 below 1,000 labels, else 1,"
        " which is a quarter of them",
        least=1,
    )
    objective: str | None = setting(
        None, "each trial first pre-trains by it on all of train, and its settings vary too"
    )
    pretrain_steps: int = setting(300, "length of each trial's pre-training", least=1)
    prune: bool = setting(True, "end a trial early that lags behind the others")
    search: tuple[str, ...] = setting(
        (), "vary a setting in a range of its own, as training.weight_decay=1e-4..0.3 or"
        " backbone.activation=relu,gelu; repeatable",
    )  # fmt: skip


def check(minutes: float | None) -> None:
    """Raises:
    UserError: the time is not above 0.
    """
    if minutes is not None and minutes <= 0:
        raise UserError(f"--minutes must be above 0, not {minutes:g}.")
