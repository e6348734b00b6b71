"""Door, encoder and head as one module that takes raw samples and gives named answers."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from headstart import __version__
from headstart.backbones.base import Backbone
from headstart.errors import UserError
from headstart.export.doors import door_of
from headstart.modalities.base import Modality
from headstart.tasks.base import Task
from headstart.tasks.lexical import Lexical
from headstart.tasks.supervised import Supervised
from headstart.types import Batch
from headstart.workflows.loaded import LoadedRun

FEATURES, OUTPUTS = "features", "outputs"


class Graph(nn.Module):
    """Raw samples `[B, ...]` → the task's answers, the head's outputs, the encoder's features.

    names: of what `forward` gives, in its order.
    """

    def __init__(
        self,
        modality: Modality,
        encoder: Backbone,
        task: Task | None,
        lexical: Lexical | None = None,
    ) -> None:
        super().__init__()
        self.door = door_of(modality)
        self.encoder = encoder
        self.task = task
        self.lexical = lexical
        self.names = [FEATURES]
        if self.task is not None and self.task.framewise:
            raise UserError(
                f"a run of --task {self.task.name} answers for each part of a sample; exports"
                " answer for whole samples.",
                "headstart predict and headstart serve answer with it.",
            )
        if self.task is not None:
            answers = self.task.answers(torch.zeros(2, self.task.answered))
            self.names = [*answers, OUTPUTS, FEATURES]
        self.eval()
        self.requires_grad_(requires_grad=False)

    @classmethod
    def of(cls, run: LoadedRun) -> Graph:
        """A copy of a run's network, on the CPU."""
        task = None if run.task is None else copy.deepcopy(run.task).cpu()
        lexical = run.learner.lexical if isinstance(run.learner, Supervised) else None
        lexical = None if lexical is None else copy.deepcopy(lexical).cpu()
        return cls(run.modality, copy.deepcopy(run.learner.encoder).cpu(), task, lexical)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        return self.prepared(self.door(x))

    def prepared(self, x: Tensor) -> tuple[Tensor, ...]:
        """The same, of samples that have passed the door."""
        features = self.encoder(Batch(x))
        if self.task is None:
            return (features.pooled,)
        if features.members is None:
            outputs = self.task.head(features.pooled)  # [B, K]
            if self.lexical is not None:
                outputs = outputs + self.lexical(x)
        else:
            each = self.task.head(features.members.flatten(0, 1))  # [B · M, K]
            each = each.unflatten(0, (-1, features.members.shape[1])).transpose(0, 1)
            outputs = self.task.average(each)
        return (*self.task.answers(outputs).values(), outputs, features.pooled)

    def program(self, raw: Tensor) -> torch.export.ExportedProgram:
        """The graph that `torch.export` draws, for batches of any size."""
        free: dict[int, Any] = {0: torch.export.Dim("batch")}
        for place, (name, most, step) in self.door.free.items():
            if most == 1:  # of one size, then
                continue
            many = torch.export.Dim(name, min=2 if step == 1 else 1, max=most)
            free[place] = many if step == 1 else step * many
        return torch.export.export(self, (raw,), dynamic_shapes=({**free},))


def describe(state: dict[str, Any], config: dict[str, Any], graph: Graph) -> dict[str, Any]:
    """What travels with every export: what goes in, what comes out, what it was made from.

    state, config: what `preprocessing.json` and `config.yaml` hold.
    """
    state = {k: v for k, v in state.items() if k != "tokenizer"}
    return {
        "headstart": __version__,
        "modality": state["modality"],
        "input": {"name": graph.door.name, **graph.door.about()},
        "outputs": graph.names,
        "task": None if graph.task is None else graph.task.name,
        "classes": state.get("task", {}).get("classes"),
        "threshold": config.get("task", {}).get("threshold"),
        "target": config.get("data", {}).get("target"),
        "backbone": config.get("backbone", {}),
        "preprocessing": state,
    }
