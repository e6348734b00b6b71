"""What `compare` can be told. This module does not import torch."""

from __future__ import annotations

from typing import Any, Literal

from headstart.errors import UserError
from headstart.settings import Duration, Settings, setting
from headstart.workflows.config import DataConfig

ALL = "all"
PRETRAINING_SHARE = 0.8  # of the time of a pre-trained method, where time is what is equal


class CompareConfig(Settings):
    """Everything a comparison was told."""

    command: Literal["compare"] = setting("compare", flag="")
    data: DataConfig = setting(factory=DataConfig)
    labels: tuple[int | Literal["all"], ...] = setting(
        (10, 100, 1000), "label budgets, smallest first", flag="", least=1
    )
    seeds: int = setting(3, "draws of labels for each budget", flag="", least=1)
    objectives: tuple[str, ...] = setting((), "ways to pre-train", flag="")
    start: tuple[str, ...] = setting((), "finished pre-training runs", flag="")
    baselines: tuple[str, ...] | None = setting(
        None, "classical models; null: those that suit the data", flag=""
    )
    task: dict[str, Any] = setting(factory=dict, help="what the labels ask for, by name", flag="")
    backbone: dict[str, Any] = setting(factory=dict, help="the network, by name", flag="")
    metric: str = setting("auto", "the figure that is compared; auto: the task's own", flag="")
    steps: int | None = setting(None, "of every fine-tuning", flag="", least=1)
    minutes: float | None = setting(
        None, "of every method in all, pre-training included", flag="", above=0
    )
    pretrain_steps: int | None = setting(None, "of every pre-training", flag="", least=1)
    pretrain_minutes: float | None = setting(None, "of every pre-training", flag="", above=0)
    pretrain: dict[str, Any] = setting(
        factory=dict, help="further settings of every pre-training", flag=""
    )
    finetune: dict[str, Any] = setting(
        factory=dict, help="further settings of every fine-tuning", flag=""
    )
    device: str = setting("auto", "cpu, cuda, cuda:1, mps ...", flag="")


# What may change from one call to the next: the cells that are there already stay true.
FREE = ("labels", "seeds", "objectives", "start", "baselines", "metric", "device")

# Settings of a fine-tuning that a comparison makes for each cell.
MADE = ("labels", "labels_per_class", "labels_from", "label_seed", "seed", "start", "data", "task")


def check(config: CompareConfig) -> None:
    """Raises:
    UserError: settings contradict one another.
    """
    if len(set(config.labels)) < len(config.labels):
        raise UserError("--labels names a number twice.")
    for flag, names in (("objective", config.objectives), ("from", config.start)):
        if twice := [name for name in names if names.count(name) > 1]:
            raise UserError(f"--{flag} names {twice[0]} twice.")
    if made := [name for name in MADE if name in config.finetune]:
        raise UserError(
            f"--set finetune.{made[0]}: a comparison says itself what each run learns from.",
            "See --labels, --seeds, --from and --task.",
        )
    if config.minutes is not None and config.steps is not None:
        raise UserError("give one of steps and minutes, not both.")
    if config.minutes is not None and (config.pretrain_steps or config.pretrain_minutes):
        raise UserError(
            "--minutes is the time of a method in all, pre-training included: leave the length of"
            " pre-training out.",
            "Or give --steps, and the pre-training a length of its own.",
        )
    if config.pretrain_steps is not None and config.pretrain_minutes is not None:
        raise UserError("give one of pretrain-steps and pretrain-minutes, not both.")


def pretraining(config: CompareConfig) -> Duration | None:
    """How long each pre-training takes; None: as long as `pretrain` takes by itself."""
    if config.minutes is not None:
        return Duration(PRETRAINING_SHARE * config.minutes, "minutes")
    if config.pretrain_minutes is not None:
        return Duration(config.pretrain_minutes, "minutes")
    return Duration(config.pretrain_steps, "steps") if config.pretrain_steps else None


def finetuning(config: CompareConfig, *, pretrained: bool) -> Duration | None:
    """How long each fine-tuning takes; None: as long as `finetune` takes by itself."""
    if config.minutes is not None:
        share = 1 - PRETRAINING_SHARE if pretrained else 1.0
        return Duration(round(share * config.minutes, 6), "minutes")
    return Duration(config.steps, "steps") if config.steps else None


def terms(config: CompareConfig) -> str:
    """On what terms methods are compared, a sentence."""
    if config.minutes is not None:
        apart = PRETRAINING_SHARE * config.minutes
        return (
            f"Equal total time: {config.minutes:g} minutes for each method, of which pre-trained"
            f" networks spend {apart:g} on pre-training, without labels, once for all draws."
        )
    length = f"{config.steps:,} steps" if config.steps else "as many steps as finetune takes"
    return (
        f"Equal steps: every network learns from labels for {length}, pre-trained or not."
        " Pre-training comes before that, without labels, once for all draws."
    )
