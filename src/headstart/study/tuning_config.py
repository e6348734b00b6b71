"""What `headstart tune` can be told beyond a fine-tuning's settings. Does not import torch."""

from __future__ import annotations

from headstart.errors import UserError
from headstart.settings import Settings, setting


class TuneConfig(Settings):
    """How long to search, and how each trial is judged."""

    trials: int | None = setting(
        None,
        "settings to try in all, by all processes together; by default 30, or what --minutes allow",
    )
    folds: int | None = setting(
        None,
        "parts of the labels that take turns to validate; by default 3 below 1,000 labels, else 1,"
        " which is a quarter of them",
    )
    objective: str | None = setting(
        None, "each trial first pre-trains by it on all of train, and its settings vary too"
    )
    pretrain_steps: int = setting(300, "length of each trial's pre-training")
    prune: bool = setting(True, "end a trial early that lags behind the others")
    search: tuple[str, ...] = setting(
        (), "vary a setting in a range of its own, as training.weight_decay=1e-4..0.3 or"
        " backbone.activation=relu,gelu; repeatable",
    )  # fmt: skip


def check(how: TuneConfig, minutes: float | None) -> None:
    """Raises:
    UserError: a number of trials, folds, steps or minutes is not above 0.
    """
    counts = {"trials": how.trials, "folds": how.folds, "pretrain-steps": how.pretrain_steps}
    for name, value in counts.items():
        if value is not None and value < 1:
            raise UserError(f"--{name} must be at least 1, not {value}.")
    if minutes is not None and minutes <= 0:
        raise UserError(f"--minutes must be above 0, not {minutes:g}.")
