"""A run read back from its folder: the network, the preprocessing, and how to ask them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from headstart import objectives, tasks
from headstart.errors import UserError
from headstart.modalities.base import Modality, frames_of
from headstart.parts.learner import Learner
from headstart.runs.folder import RunFolder
from headstart.settings import Faults, resolve
from headstart.tasks.base import Task
from headstart.tasks.frames import joined
from headstart.tasks.supervised import FineTuneConfig, Supervised
from headstart.training import devices
from headstart.types import Batch, Spec
from headstart.workflows import assemble
from headstart.workflows.weights import load_exactly, read_model

CHUNK = 512  # samples that are read, and unless they are long, go through a network, at once


def at_once(spec: Spec) -> int:
    """Samples a forward pass: of those of several windows fewer."""
    return max(1, CHUNK // spec.windows)


@dataclass
class LoadedRun:
    """A finished run, ready to answer.

    learner: the objective of a pre-training run, or the encoder with its task's head.
    config, result: what `config.yaml` and `result.json` hold.
    """

    folder: RunFolder
    config: dict[str, Any]
    result: dict[str, Any]
    modality: Modality
    learner: Learner
    device: torch.device

    @property
    def task(self) -> Task | None:
        """The task it was fine-tuned for; None for a pre-training run."""
        return self.learner.task if isinstance(self.learner, Supervised) else None

    @property
    def supervised(self) -> Supervised:
        """The fine-tuned network.

        Raises:
            UserError: this is a pre-training run, which has learned no labels.
        """
        if isinstance(self.learner, Supervised):
            return self.learner
        raise UserError(
            f"{self.folder.path} is a pre-training run: it has seen no labels and predicts none.",
            f"Fine-tune it first: headstart finetune DATA --from {self.folder.path} --out RUN",
        )

    def batch(self, x: Tensor, y: Tensor | None = None) -> Batch:
        """Compact samples `[B, ...]` → a prepared batch on the device."""
        x = x.to(self.device)
        frames = frames_of(self.modality, x)
        x = self.modality.prepare(x)
        return Batch(x, None if y is None else y.to(self.device), frames=frames)

    def judged(self, x: Tensor) -> Batch:
        """Compact samples `[B, ...]` → what it is judged on: its views, or one as it is."""
        strengths = self.learner.strengths()
        if len(strengths) == 1:
            return self.batch(x)
        x = x.to(self.device)
        many = torch.cat([self.modality.augment(x, strength) for strength in strengths])
        return Batch(many, views=len(strengths))

    @torch.no_grad()
    def embeddings(self, x: Tensor) -> Tensor:
        """Compact samples `[N, ...]` → the encoder's pooled features, float32 `[N, D]`."""
        parts = [
            self.learner.encoder(self.batch(part)).pooled
            for part in torch.split(x, at_once(self.modality.spec))
        ]
        return torch.cat([part.float().cpu() for part in parts])

    @torch.no_grad()
    def outputs(self, x: Tensor, copies: int = 0) -> Tensor:
        """Compact samples `[N, ...]` → the head's outputs, float32 `[N, K]` or `[N, T, K]`.

        copies: weakly augmented ones of each sample, over which and itself answers are averaged.

        Raises:
            UserError: this is a pre-training run, or augmentation leaves samples as they are.
        """
        parts = [
            self._answered(part, copies) for part in torch.split(x, at_once(self.modality.spec))
        ]
        return joined([part.float().cpu() for part in parts])

    def _parts(self, x: Tensor) -> tuple[Tensor, ...]:
        return torch.split(x, at_once(self.modality.spec))

    def _answered(self, x: Tensor, copies: int) -> Tensor:
        learner, plain = self.supervised, self.batch(x)
        if copies == 0:
            return learner.outputs(plain)
        moved = [self.modality.augment(x.to(self.device)) for _ in range(copies)]
        if all(torch.equal(part, plain.x) for part in moved):
            raise UserError(
                "weak augmentation leaves these samples as they are: there is nothing to average.",
                "Leave --tta out.",
            )
        many = (plain, *(Batch(part, frames=plain.frames) for part in moved))
        said = [learner.outputs(batch) for batch in many]
        return learner.task.average(torch.stack(said))


def load_run(path: str | Path, device: str = "auto") -> LoadedRun:
    """Read a finished run.

    Raises:
        UserError: there is none at `path`, or one of its files is missing or damaged.
    """
    folder = RunFolder.open(path)
    config = folder.read_config()
    state = folder.read_preprocessing()
    modality = assemble.load_modality(state)
    learner = _learner(folder, config, state, modality)
    load_exactly(learner, read_model(folder.model), str(folder.model))
    place = devices.pick(device)
    devices.use_threads(None)
    result = folder.read_json(folder.result) if folder.result.exists() else {}
    return LoadedRun(folder, config, result, modality, learner.to(place).eval(), place)


def _learner(
    folder: RunFolder, config: dict[str, Any], state: dict[str, Any], modality: Modality
) -> Learner:
    encoder = assemble.load_backbone(_part(folder, config, "backbone"), modality.spec)
    faults = Faults()
    if config.get("command") == "pretrain":
        raw = _part(folder, config, "objective")
        chosen = assemble.component(objectives.table, raw, "", "objective", faults)
        faults.raise_if_any()
        objective: Learner = chosen.cls(chosen.config, encoder, modality.spec)
        return objective
    chosen = assemble.component(tasks.table, _part(folder, config, "task"), "", "task", faults)
    how = resolve(FineTuneConfig, _part(folder, config, "finetune"), faults, "finetune")
    faults.raise_if_any()
    assert how is not None
    try:
        task: Task = chosen.cls(chosen.config, chosen.cls.dim_of(encoder), state["task"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{folder.preprocessing} is malformed: it lacks {error}.") from error
    pretrained = config.get("start") is not None or encoder.pretrained
    return Supervised(how.merged(), encoder, task, pretrained=pretrained)


def _part(folder: RunFolder, config: dict[str, Any], name: str) -> dict[str, Any]:
    part = config.get(name)
    if not isinstance(part, dict):
        raise UserError(f"{folder.config} is malformed: it has no group '{name}'.")
    return part
