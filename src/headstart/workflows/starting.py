"""What a fine-tuning starts from: the encoder of a run or a fresh one, and how it reads samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.backbones.base import Backbone
from headstart.data.dataset import Dataset
from headstart.errors import UserError
from headstart.modalities.base import Modality, Windowed
from headstart.runs.folder import RunFolder
from headstart.settings import Faults
from headstart.workflows import assemble, views
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.weights import hand_over, read_model


@dataclass(frozen=True)
class Start:
    """The encoder that learning starts from, and the modality by which it reads.

    settings: of both, as they stand in config.yaml; hand_over: what it begins with, in a sentence.
    """

    modality: Modality
    encoder: Backbone
    settings: dict[str, Any]
    hand_over: str | None


def opened(config: FinetuneConfig) -> Dataset:
    """The data, read as the modality asks for that is named, or that the first run has."""
    modality = config.modality
    if config.start is not None:
        modality = RunFolder.open(config.start).read_config().get("modality", {})
    return assemble.open_data(config.data, modality)


def from_scratch(
    config: FinetuneConfig, given: Dataset | None, faults: Faults
) -> tuple[Dataset, Start]:
    """The data, and a fresh encoder that suits them.

    Raises:
        UserError: the settings have faults, here or so far, or do not suit the data.
    """
    dataset = given or opened(config)
    chosen = assemble.modality_for(config.modality, dataset, faults)
    backbone = assemble.backbone_for(config.backbone, chosen, faults)
    chosen = assemble.suited(chosen, backbone, config.modality, faults)
    faults.raise_if_any()
    modality = assemble.fitted_modality(dataset, chosen)
    said: list[str] = []
    encoder = assemble.build_backbone(backbone, modality.spec, config.seed, said.append)
    settings = {"modality": chosen.plain(), "backbone": backbone.plain()}
    return dataset, Start(modality, encoder, settings, "".join(said) or None)


def from_run(
    config: FinetuneConfig, given: Dataset | None, faults: Faults
) -> tuple[Dataset, Start]:
    """The data, and the encoder of the run that `config.start` names.

    Raises:
        UserError: the settings have faults, here or so far, or the run does not suit the data.
    """
    assert config.start is not None
    path = Path(config.start)
    run = RunFolder.open(path)
    raw = run.read_config()
    if config.backbone not in ({}, raw.get("backbone")):
        faults.add(
            f"the backbone comes from the run {config.start}: leave its settings out,"
            " or leave --from out."
        )
    of_run = raw.get("modality", {})
    if "name" not in of_run or "backbone" not in raw:
        raise UserError(f"{run.config} is malformed: it names no modality, or no backbone.")
    chosen = None
    if config.modality:
        chosen = views.chosen_anew(config.modality, of_run, config.start, faults)
    faults.raise_if_any()
    dataset = given or opened(config)
    state = run.read_preprocessing()
    if state.get("modality") != dataset.kind:
        raise UserError(
            f"{path} was pre-trained on data of kind '{state.get('modality')}';"
            f" {dataset.source} is of kind '{dataset.kind}'.",
            "Choose another --from, or leave it out to train from scratch.",
        )
    modality = assemble.load_modality(state)
    if chosen is not None:
        modality = views.seen_anew(modality, chosen, dataset)
    if isinstance(modality, Windowed):
        modality.note_lengths(dataset.train)
    plain = chosen.plain() if chosen else of_run
    encoder = assemble.load_backbone(raw["backbone"], modality.spec)
    said = hand_over(encoder, read_model(run.model), str(path))
    return dataset, Start(modality, encoder, {"modality": plain, "backbone": raw["backbone"]}, said)
