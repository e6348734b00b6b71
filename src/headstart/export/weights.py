"""One safetensors file: all weights, and in its metadata all that rebuilds the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from headstart import tasks
from headstart.errors import UserError
from headstart.export.base import Asked, Work
from headstart.export.graph import Graph
from headstart.settings import Faults
from headstart.tasks.lexical import Lexical
from headstart.workflows import assemble
from headstart.workflows.weights import load_exactly


class Weights:
    """See `base.Format`."""

    suffix: ClassVar[str] = ".safetensors"
    needs: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def write(path: Path, work: Work) -> None:
        """Names begin with `encoder.` and `task.`, as in a run's own file."""
        whole = {"about": work.about, **parts_of(work)}
        tensors = {n: t.contiguous().clone() for n, t in learned(work.graph).state_dict().items()}
        save_file(tensors, path, metadata={k: json.dumps(v) for k, v in whole.items()})

    @staticmethod
    def opened(path: Path) -> Asked:
        """The network, built anew from the file alone."""
        graph = read(path)

        def ask(raw: Any) -> dict[str, Any]:
            with torch.no_grad():
                found = graph(torch.from_numpy(raw))
            return {n: value.numpy() for n, value in zip(graph.names, found, strict=True)}

        return ask


def read(path: Path) -> Graph:
    """The network that `Weights.write` wrote: raw samples in, answers out.

    Raises:
        UserError: the file is not one of these.
    """
    with safe_open(path, framework="pt") as file:
        kept = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if not {"state", "config"} <= set(kept):
        raise UserError(f"{path} holds weights, but not what headstart wrote beside them.")
    graph = rebuilt({name: json.loads(kept[name]) for name in ("state", "config")})
    load_exactly(learned(graph), tensors, str(path))
    return graph


def parts_of(work: Work) -> dict[str, Any]:
    """All that rebuilds the network but its weights, as JSON can hold it."""
    config: dict[str, Any] = {k: work.config[k] for k in ("backbone", "task") if k in work.config}
    if work.graph.lexical is not None:
        config["lexical"] = True
    return {"state": work.state, "config": config}


def rebuilt(parts: dict[str, Any]) -> Graph:
    """The network that `parts_of` described, with weights yet to be loaded.

    Raises:
        UserError: the description is malformed.
    """
    state, config = parts["state"], parts["config"]
    modality = assemble.load_modality(state)
    encoder = assemble.load_backbone(config["backbone"], modality.spec)
    task = None
    if "task" in config and state.get("task") is not None:
        faults = Faults()
        chosen = assemble.component(tasks.table, config["task"], "", "task", faults)
        faults.raise_if_any()
        task = chosen.cls(chosen.config, chosen.cls.dim_of(encoder), state["task"])
    lexical = None
    if task is not None and config.get("lexical"):
        assert modality.spec.vocabulary is not None
        lexical = Lexical(modality.spec.vocabulary, task.answered)
    return Graph(modality, encoder, task, lexical)


def learned(graph: Graph) -> nn.ModuleDict:
    """The parts whose weights were learned; a door's are in the preprocessing."""
    parts: dict[str, nn.Module] = {"encoder": graph.encoder}
    if graph.task is not None:
        parts["task"] = graph.task
    if graph.lexical is not None:
        parts["lexical"] = graph.lexical
    return nn.ModuleDict(parts)
