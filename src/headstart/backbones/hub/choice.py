"""From `hub:NAME` to the class that reads its kind of data, with complete settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from headstart.backbones.base import Backbone
from headstart.data import snapshots
from headstart.errors import UserError
from headstart.settings import Settings, setting

Pool = Literal["mean", "max", "first", "last", "own"]


class HubConfig(Settings):
    """A public encoder, and how it is used."""

    source: str = setting("", "where it comes from: what follows hub:", flag="")
    config: dict[str, Any] = setting(
        factory=dict, help="its architecture, as its own config.json has it", flag=""
    )
    card: dict[str, Any] = setting(
        factory=dict, help="its preprocessing, as its own preprocessor_config.json has it", flag=""
    )
    weights: bool = setting(
        True, "begin with the weights it comes with; false: as new, to see what they are worth"
    )
    pool: Pool = setting(
        "own", "mean, max, first or last token; own: as it was made to be used", flag=""
    )
    rate: float = setting(
        0.05,
        "its learning rate, as a share of --lr, while it has weights to lose",
        flag="",
        least=0,
    )
    recompute: bool = setting(
        False, "save memory: activations are computed again for the gradient", flag=""
    )


def chosen(source: str, raw: dict[str, Any]) -> tuple[type[Backbone], dict[str, Any]]:
    """The class of a public encoder, and its settings, complete with its architecture.

    raw: settings as they were given; of a run, with the architecture in `config`.

    Raises:
        UserError: there is no such model, or it is none that can be used.
    """
    if not source:
        raise UserError(
            "hub: needs a name or a folder, as in hub:sentence-transformers/all-MiniLM-L6-v2."
        )
    if not raw.get("config"):
        folder = snapshots.locate(source)
        raw = {**raw, "config": _architecture(folder)}
        raw.setdefault("pool", _pooling(folder))
        raw["card"] = snapshots.read_json(folder, "preprocessor_config.json")
    return _class_for(raw["config"], source), {**raw, "source": source}


def _architecture(folder: Path) -> dict[str, Any]:
    from headstart.backbones.hub import networks

    found = snapshots.read_json(folder, "config.json")
    if "quantization_config" in found:
        raise UserError(f"{folder} holds quantised weights, which cannot be trained.")
    return {name: value for name, value in found.items() if name not in networks.LEFT_OUT}


def _pooling(folder: Path) -> Pool:
    """As the authors of a sentence encoder have it."""
    found = snapshots.read_json(folder / "1_Pooling", "config.json")
    modes: dict[str, Pool] = {
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_cls_token": "first",
        "pooling_mode_max_tokens": "max",
        "pooling_mode_lasttoken": "last",
    }
    return next((how for mode, how in modes.items() if found.get(mode)), "own")


def _class_for(config: dict[str, Any], source: str) -> type[Backbone]:
    from headstart.backbones.hub import networks
    from headstart.backbones.hub.pictures import HubPictures
    from headstart.backbones.hub.sounds import HubSounds
    from headstart.backbones.hub.texts import HubTexts

    reads = networks.reads(config, source)
    if reads == "input_ids":
        return HubTexts
    if reads == "pixel_values":
        return HubPictures
    if reads in ("input_values", "input_features"):
        return HubSounds
    raise UserError(f"hub:{source} reads {reads}: headstart has no such kind of data.")
