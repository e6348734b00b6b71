"""What finished runs say of samples, in the terms of the task that is to learn from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from headstart.data.dataset import Samples
from headstart.errors import UserError
from headstart.tasks.base import Task
from headstart.workflows.assemble import Say
from headstart.workflows.config import DataConfig
from headstart.workflows.loaded import CHUNK, LoadedRun, load_run
from headstart.workflows.supply import Supply


def answers_of(
    paths: Sequence[str],
    splits: Mapping[str, Samples],
    task: Task,
    data: DataConfig,
    *,
    copies: int,
    say: Say,
) -> dict[str, Tensor]:
    """Outputs `[N, K]` by split, whose answers are the mean of the runs' answers.

    Each run reads the samples with its own preprocessing. Rows of damaged samples mean nothing.
    copies: weakly augmented ones of each sample that a run answers beside it.

    Raises:
        UserError: one is no fine-tuned run, or answers something else than `task` asks.
    """
    said: dict[str, list[Tensor]] = {name: [] for name in splits}
    for path in paths:
        run = load_run(path, "cpu")
        _ = run.supervised
        assert run.task is not None
        if run.task.name != task.name:
            raise UserError(
                f"the teacher {path} learned {run.task.name}, and this is {task.name}.",
                "Choose a --teacher with the same task.",
            )
        say(f"{path} answers, to be learned from")
        for name, samples in splits.items():
            outputs = task.adopt(run.task, _outputs(run, samples, data, copies), path)
            said[name].append(outputs)
    return {name: task.average(torch.stack(outputs)) for name, outputs in said.items()}


def _outputs(run: LoadedRun, samples: Samples, data: DataConfig, copies: int) -> Tensor:
    torch.default_generator.manual_seed(0)
    with Supply({"asked": samples}, run.modality, data, seed=0, batch_size=CHUNK) as supply:
        loader = supply.loaders["asked"]
        outputs = torch.cat([run.outputs(x, copies) for x, _ in loader.in_order(CHUNK)])
        bad = list(loader.damaged(0))
    whole = outputs.new_zeros(len(samples), outputs.shape[1])
    whole[torch.from_numpy(np.setdiff1d(np.arange(len(samples)), bad))] = outputs
    return whole
