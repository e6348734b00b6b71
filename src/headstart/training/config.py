"""Settings of the engine. This module does not import torch: `--help` reads it."""

from __future__ import annotations

from typing import Any, Literal

from headstart.settings import Duration, Settings, setting


class TrainingConfig(Settings):
    """How long, how fast, on what."""

    duration: Duration | None = setting(
        None, "length of the training, as '5 epochs' or '10 minutes'", flag=""
    )
    batch_size: int | None = setting(
        None, "samples a step; by default chosen from the set's size", least=1
    )
    optimizer: str = setting(
        "adamw", "any of PyTorch's; lion, lamb, schedule-free-adamw ... with headstart[optim]"
    )
    lr: float | None = setting(
        None, "peak learning rate; by default the optimiser's usual one", above=0
    )
    weight_decay: float = setting(
        0.01, "decay of weights; biases and norms are spared", flag="", least=0
    )
    optimizer_options: dict[str, Any] = setting(
        factory=dict, help="further arguments of the optimiser", flag=""
    )
    schedule: Literal["auto", "cosine", "linear", "constant", "onecycle"] = setting(
        "auto", "how the rate falls after warm-up; auto: cosine, none for schedule-free optimisers"
    )
    warmup: float | None = setting(
        None,
        "part of the training in which the rate rises; by default 0.05, onecycle 0.3",
        flag="",
        least=0,
        most=1,
    )
    clip: float | None = setting(
        1.0, "largest norm of the gradient; null for no limit", flag="", above=0
    )
    accumulate: int = setting(
        1, "parts that each batch is cut into, one after another, to save memory", flag="", least=1
    )
    ema: float = setting(
        0.0, "moving average of weights that is kept, 0 for none", flag="", least=0, below=1
    )
    validate_every: Duration | None = setting(
        None, "by default each epoch, at most twenty times", flag=""
    )
    patience: int | None = setting(
        None, "stop after so many validations without a better figure", least=1
    )
    checkpoint_every: Duration = setting(
        Duration(1, "minutes"), "how often everything is saved", flag=""
    )
    device: str = setting("auto", "cpu, cuda, cuda:1, mps ...; auto takes the best there is")
    threads: int | None = setting(
        None, "CPU threads; by default all this process may use", flag="", least=1
    )
    compile: Literal["auto", "on", "off"] = setting(
        "auto", "compile the step; auto does for long runs on CUDA"
    )
    precision: Literal["auto", "fp32", "bf16"] = setting(
        "auto", "bf16 lets networks compute in bfloat16; auto does on CUDA devices that have it"
    )
    shard: bool = setting(
        False, "spread weights over processes (FSDP): for networks that one device cannot hold"
    )
    log: tuple[str, ...] = setting(
        (), "also send figures to tensorboard, mlflow, wandb or trackio; repeatable"
    )
    profile: bool = setting(False, "write where the time goes into RUN/profile")
