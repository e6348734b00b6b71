"""What `pretrain` and `finetune` can be told. This module does not import torch."""

from __future__ import annotations

from typing import Any, Literal

from headstart.settings import Settings, Size, setting
from headstart.training.config import TrainingConfig

MOST_SEED = 2**31 - 1  # scikit-learn's end at twice that, and folds count up from theirs
AUTO = "auto"  # an objective that is to be found: workflows.bakeoff


class DataConfig(Settings):
    """Where samples come from."""

    path: str = setting("", "a folder, a file or a name", flag="")
    train: str | None = setting(None, "name of the train split, or a path")
    validation: str | None = setting(None, "name of the validation split, or a path")
    test: str | None = setting(None, "name of the test split, or a path")
    target: str | None = setting(None, "column that holds the labels")
    file_column: str | None = setting(None, "column that holds the file names")
    text_column: str | None = setting(None, "column that holds the texts")
    series_column: str | None = setting(
        None, "column that names the series a row is a step of; makes a table one of series"
    )
    time_column: str | None = setting(None, "column that the steps of a series are in order of")
    group: str | None = setting(
        None, "column of what belongs together (a speaker, a patient): splits never part it"
    )
    kind: Literal["audio", "image", "series", "table", "text"] | None = setting(
        None, "what the samples are, where a file could hold several kinds"
    )
    layout: Literal["auto", "channels-first", "channels-last"] = setting(
        "auto", "of series of several channels in an array; auto takes the fewer for channels",
        flag="",
    )  # fmt: skip
    split_seed: int = setting(
        0,
        "of the test split that is made where there is none; the same for every --seed",
        flag="",
        least=0,
        most=MOST_SEED,
    )
    on_bad: Literal["fail", "skip"] = setting("fail", "what to do with samples that are damaged")
    max_memory: Size | None = setting(
        None, "memory that samples may take, as 500MB; by default half of what is available"
    )
    workers: int | None = setting(
        None,
        "processes that decode samples; by default as many as there are processors",
        flag="",
        least=0,
    )


# What tells how a table is read; new data may call it otherwise.
COLUMNS = ("file_column", "text_column", "series_column", "time_column")


class PretrainConfig(Settings):
    """Everything a pre-training run was told."""

    command: Literal["pretrain"] = setting("pretrain", flag="")
    data: DataConfig = setting(factory=DataConfig)
    modality: dict[str, Any] = setting(factory=dict, help="settings of the kind of data", flag="")
    backbone: dict[str, Any] = setting(factory=dict, help="the network, by name", flag="")
    objective: dict[str, Any] = setting(factory=dict, help="the way to learn, by name", flag="")
    training: TrainingConfig = setting(factory=TrainingConfig)
    probe: bool = setting(
        False, "at each validation judge the encoder by at most 1,000 labels of train"
    )
    seed: int = setting(0, "of every random choice", least=0, most=MOST_SEED)


class FinetuneConfig(Settings):
    """Everything a fine-tuning run was told."""

    command: Literal["finetune"] = setting("finetune", flag="")
    data: DataConfig = setting(factory=DataConfig)
    start: str | None = setting(
        None, "the pre-trained run to start from; none: from scratch", flag=""
    )
    labels: int | None = setting(None, "labels to use in all, validation included", least=1)
    labels_per_class: int | None = setting(None, "labels to use of each class", least=1)
    labels_from: str | None = setting(
        None, "a CSV file of name and label, as headstart label writes: exactly these are used"
    )
    label_draw: Literal["equal", "natural"] = setting(
        "equal", "how --labels are drawn: as many of each class, or as frequent as classes are"
    )
    baselines: bool = setting(
        True, "of a table, fit linear and boosted models too on the same labels, and say who wins"
    )
    validation_share: float | None = setting(
        None,
        "share of the labels that chooses the best weights, 0 to keep the last; by default a tenth"
        " where there are 20 a class",
        least=0,
        below=1,
    )
    modality: dict[str, Any] = setting(factory=dict, help="settings of the kind of data", flag="")
    backbone: dict[str, Any] = setting(factory=dict, help="the network, by name", flag="")
    task: dict[str, Any] = setting(factory=dict, help="what the labels ask for, by name", flag="")
    finetune: dict[str, Any] = setting(factory=dict, help="what of the encoder is trained", flag="")
    unlabelled: Literal["ignore", "self-train", "vat"] = setting(
        "ignore",
        "what to do with the samples outside the label budget; vat suits rows of numbers, where"
        " augmentation means nothing",
    )
    teacher: tuple[str, ...] = setting(
        (), "finished run whose answers on all of train are learned as well; repeatable"
    )
    self_training: dict[str, Any] = setting(
        factory=dict, help="how far the network's own answers are believed", flag=""
    )
    vat: dict[str, Any] = setting(
        factory=dict, help="how far about a sample answers should hold", flag=""
    )
    distillation: dict[str, Any] = setting(
        factory=dict, help="how teachers' answers are learned", flag=""
    )
    training: TrainingConfig = setting(factory=TrainingConfig)
    seed: int = setting(
        0, "of every random choice, the draw of labels too", least=0, most=MOST_SEED
    )
    label_seed: int | None = setting(
        None,
        "of the draw of labels alone, for several runs on the same; by default --seed",
        least=0,
        most=MOST_SEED,
    )
