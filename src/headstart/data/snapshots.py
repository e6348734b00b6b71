"""Snapshots of public models: a local folder, the hub's cache, or the hub itself, in that order.

A name is `organisation/model`, or `organisation/model@revision`, or the path of a folder with a
`config.json`. Nothing of a snapshot is ever run: no code that comes with it, no pickle.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from headstart.errors import UserError

PREFIX = "hub:"
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")


def locate(name: str) -> Path:
    """The folder of a snapshot; downloaded where it is not on disk and the network is allowed.

    Raises:
        UserError: it is nowhere to be found, or the library that looks is not installed.
    """
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file():
        return folder
    if folder.exists() or name.startswith((".", "/", "~")):
        raise UserError(
            f"there is no model in {name}: expected a folder with a config.json and"
            " *.safetensors, as save_pretrained writes it."
        )
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise absent("huggingface_hub") from error

    whole = {"allow_patterns": list(WANTED)}
    repository, _, revision = name.partition("@")
    try:
        return Path(
            snapshot_download(repository, revision=revision or None, local_files_only=True, **whole)
        )
    except HFValidationError:
        raise UserError(
            f"'{name}' is neither a folder nor the name of a public model.",
            "Expected organisation/model, as in hub:sentence-transformers/all-MiniLM-L6-v2.",
        ) from None
    except LocalEntryNotFoundError:
        pass
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise _nowhere(name, "HF_HUB_OFFLINE forbids to download it")
    try:
        return Path(snapshot_download(repository, revision=revision or None, **whole))
    # What a network can do wrong has many classes, in three libraries.
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise _nowhere(name, f"it could not be downloaded: {lines[0][:200]}") from error


def _nowhere(name: str, why: str) -> UserError:
    return UserError(
        f"the model {name} is not on this machine, and {why}.",
        "Name a local folder (hub:./folder), or fetch it where there is a network:"
        f" hf download {name.partition('@')[0]}",
    )


def absent(library: str) -> UserError:
    """The error for a library of the extra `hub` that is not installed."""
    return UserError(
        f"public models need the library {library}, which is not installed.",
        f"Install it: pip install 'headstart[{'timm' if library == 'timm' else 'hub'}]'",
    )


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file of a snapshot; empty where there is none.

    Raises:
        UserError: it holds no JSON object.
    """
    path = folder / name
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is malformed: expected a JSON object.")
    return found


def check_weights(folder: Path) -> None:
    """Raises:
    UserError: there are no weights, or only such as could run code when they are read.
    """
    if next(folder.glob("*.safetensors"), None) is not None:
        return
    pickle = next((path for pattern in PICKLES for path in folder.glob(pattern)), None)
    if pickle is None:
        raise UserError(f"{folder} holds no weights: expected *.safetensors.")
    raise UserError(
        f"{pickle} is not read: weights in this format can run code; only safetensors are.",
        "Take a revision that has them (hub:NAME@refs/pr/1), or convert the model where you trust"
        " it: model.save_pretrained(folder).",
    )
