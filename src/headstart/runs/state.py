"""Trees of tensors and plain values in one safetensors file, checksummed, without pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from headstart.errors import UserError
from headstart.runs.atomic import write_with

_TENSOR = "__tensor__"
_TUPLE = "__tuple__"
_PAIRS = "__pairs__"
_MARKS = (_TENSOR, _TUPLE, _PAIRS)


def save(path: Path, tree: Any) -> None:
    """Write a tree of dicts, lists, tuples, numbers, strings, None and tensors."""
    tensors: dict[str, Tensor] = {}
    outline = json.dumps(_pack(tree, tensors))
    metadata = {"tree": outline, "checksum": _checksum(outline, tensors)}
    write_with(path, lambda temporary: save_file(tensors, temporary, metadata=metadata))


def load(path: Path) -> Any:
    """Read what `save` wrote; tensors come to the CPU.

    Raises:
        UserError: the file is missing, truncated, changed since it was written, or no such file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from error
    outline = metadata.get("tree")
    if outline is None or metadata.get("checksum") != _checksum(outline, tensors):
        raise UserError(f"{path} is damaged: its checksum does not match its contents.")
    return _unpack(json.loads(outline), tensors)


def _checksum(outline: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.blake2b(outline.encode(), digest_size=16)
    for name in sorted(tensors):
        flat = tensors[name].reshape(-1)
        digest.update(f"{name}:{tensors[name].dtype}:{list(tensors[name].shape)}".encode())
        digest.update(flat.view(torch.uint8).numpy().data if flat.numel() else b"")
    return digest.hexdigest()


def _pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        name = f"t{len(tensors)}"
        # A clone, because safetensors refuses tensors that share memory.
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {_TENSOR: name}
    if isinstance(value, dict):
        if all(isinstance(key, str) and key not in _MARKS for key in value):
            return {key: _pack(item, tensors) for key, item in value.items()}
        return {_PAIRS: [[key, _pack(item, tensors)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {_TUPLE: [_pack(item, tensors) for item in value]}
    if isinstance(value, list):
        return [_pack(item, tensors) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a state may hold no {type(value).__name__}")


def _unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    if isinstance(value, dict):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        if _TUPLE in value:
            return tuple(_unpack(item, tensors) for item in value[_TUPLE])
        if _PAIRS in value:
            return {key: _unpack(item, tensors) for key, item in value[_PAIRS]}
        return {key: _unpack(item, tensors) for key, item in value.items()}
    return value
