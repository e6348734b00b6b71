"""A network sharded over processes by PyTorch's FSDP2 (`fully_shard`).

Each process keeps its part of every parameter; a layer is put together while it computes, and its
gradient is averaged and handed out in parts (Zhao et al., 2023, arXiv:2304.11277). Optimisers see
the parts as plain parameters, so that the fused ones serve. `sharding` imports this where it is
asked for, because `torch.distributed.tensor` takes a third of a second to import.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from headstart import collectives
from headstart.backbones.base import Backbone
from headstart.parts.learner import Learner
from headstart.training.optimisers import parameters_of


class FullySharded:
    """Shards a learner: each layer of its backbones by itself, then the rest.

    own: by sharded parameter, its part here, which shares its memory.
    """

    def __init__(self, learner: Learner, device: torch.device) -> None:
        mesh = init_device_mesh(device.type, (collectives.world_size(),))
        for module in list(learner.modules()):
            for layer in module.layers() if isinstance(module, Backbone) else ():
                if not isinstance(layer, FSDPModule) and next(layer.parameters(), None) is not None:
                    fully_shard(layer, mesh=mesh)
        fully_shard(learner, mesh=mesh)
        self._learner = learner
        self.own: dict[Parameter, Parameter] = {
            p: Parameter(_local(p.detach()), requires_grad=p.requires_grad)
            for p in learner.parameters()
        }
        self._whole_of = {mine: p for p, mine in self.own.items()}

    def take_gradients(self) -> None:
        """Move gradients from the sharded parameters to their parts."""
        for parameter, mine in self.own.items():
            gradient = parameter.grad
            parameter.grad = None
            mine.grad = None if gradient is None else _local(gradient)

    def fill(self, other: nn.Module) -> None:
        """Give whole weights to another network of the same kind."""
        pairs = zip(other.parameters(), self._learner.parameters(), strict=True)
        for their, parameter in pairs:
            their.data = _whole(parameter).clone()
        for theirs, buffer in zip(other.buffers(), self._learner.buffers(), strict=True):
            theirs.copy_(buffer)

    def marked(self, state: dict[str, Any], optimiser: Optimizer) -> dict[str, Any]:
        """An optimiser's state with its tensors as what they are: parts of sharded ones."""

        def mark(value: Any, mine: Parameter) -> Any:
            if not isinstance(value, Tensor) or value.ndim == 0 or value.shape != mine.shape:
                return value
            like: Any = self._whole_of[mine]
            return DTensor.from_local(
                value, like.device_mesh, like.placements, run_check=False, shape=like.shape,
                stride=like.stride(),
            )  # fmt: skip

        return _mapped(state, optimiser, mark)

    def own_state(self, state: dict[str, Any], optimiser: Optimizer) -> dict[str, Any]:
        """An optimiser's state, marked or whole, as plain tensors of which only parts lie here."""
        return _mapped(state, optimiser, lambda v, mine: _local(_part(v, self._whole_of[mine])))

    def parts(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights by name, sharded as the learner's are."""
        like = self._learner.state_dict()
        return {name: _part(value, like[name]) for name, value in weights.items()}

    def gathered(self, tree: Any) -> Any:
        """A tree with whole tensors on the CPU; other processes than the first get Nones there."""
        if isinstance(tree, DTensor):
            whole = tree.full_tensor()
            return whole.cpu() if collectives.rank() == 0 else None
        if isinstance(tree, dict):
            return {key: self.gathered(value) for key, value in tree.items()}
        if isinstance(tree, list | tuple):
            return type(tree)(self.gathered(value) for value in tree)
        return tree


def _mapped(state: dict[str, Any], optimiser: Optimizer, change: Any) -> dict[str, Any]:
    """An optimiser's state dict, each value changed by `change(value, parameter)`."""
    parameters = parameters_of(optimiser)
    changed = {
        number: {name: change(value, parameters[number]) for name, value in values.items()}
        for number, values in state["state"].items()
    }
    return {**state, "state": changed}


def _whole(x: Tensor) -> Tensor:
    return x.full_tensor() if isinstance(x, DTensor) else x


def _local(x: Any) -> Any:
    return x.to_local() if isinstance(x, DTensor) else x


def _part(value: Any, like: Tensor) -> Any:
    """A whole tensor as parts sharded like another of its shape; anything else as it is."""
    if isinstance(value, DTensor) or not isinstance(value, Tensor) or not isinstance(like, DTensor):
        return value
    if value.shape != like.shape:
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)
