"""Weights of a run, and the loud hand-over from pre-training to fine-tuning."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from headstart.errors import UserError
from headstart.runs.atomic import write_with

PREFIX = "encoder."


def save_model(path: Path, module: nn.Module) -> None:
    """Write a module's weights; the encoder's names begin with `encoder.`."""
    tensors = {
        name: value.detach().cpu().contiguous().clone()
        for name, value in module.state_dict().items()
    }
    write_with(path, lambda temporary: save_file(tensors, temporary))


def read_model(path: Path) -> dict[str, Tensor]:
    """Read weights.

    Raises:
        UserError: the file is damaged or no safetensors file.
    """
    try:
        weights: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} cannot be read as weights: {error}.") from error
    return weights


def load_exactly(module: nn.Module, weights: dict[str, Tensor], where: str) -> None:
    """Give a module its weights, all of them and no others.

    Raises:
        UserError: names or shapes differ.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in weights]
    extra = [name for name in weights if name not in own]
    differ = [n for n in own if n in weights and own[n].shape != weights[n].shape]
    if missing or extra or differ:
        raise UserError(
            f"the weights in {where} do not fit the network that its config.yaml describes.",
            *[f"- missing: {name}" for name in missing[:5]],
            *[f"- not expected: {name}" for name in extra[:5]],
            *[
                f"- shape {list(weights[n].shape)}, not {list(own[n].shape)}: {n}"
                for n in differ[:5]
            ],
        )
    module.load_state_dict(weights)


def hand_over(encoder: nn.Module, weights: dict[str, Tensor], where: str) -> str:
    """Give a fresh encoder pre-trained weights; returns what matched, in a sentence.

    Raises:
        UserError: less than every weight of the encoder is there with the right shape.
    """
    mine = {n.removeprefix(PREFIX): w for n, w in weights.items() if n.startswith(PREFIX)}
    load_exactly(encoder, mine, where)
    left = len(weights) - len(mine)
    return (
        f"the encoder starts from {where}: {len(mine)} of {len(encoder.state_dict())} tensors"
        f" match; the head is new; {left} tensors of the objective are left behind"
    )
