"""Fine-tuning by other augmentation than pre-training had.

What a network reads (size, normalisation, features) comes from the run that it starts from. How
samples are moved and hidden does not: views that teach an encoder by what they take away are often
too rough for the few labels (benchmarks/RESULTS.md, Fashion-MNIST), and may be chosen anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headstart import modalities
from headstart.data.dataset import Dataset
from headstart.modalities.base import Modality
from headstart.settings import Faults
from headstart.workflows import assemble

AUGMENT = "augment"


def asks_more(asked: Mapping[str, Any], of_run: Mapping[str, Any]) -> bool:
    """Whether settings of a modality ask for more than a run's with another augmentation."""
    rest = {name: value for name, value in asked.items() if name != AUGMENT}
    kept = {name: value for name, value in of_run.items() if name != AUGMENT}
    if rest not in ({}, {"name": of_run.get("name")}, kept):
        return True
    cls = modalities.table.load(str(of_run["name"]))
    return AUGMENT in asked and not hasattr(cls, "augmentation_state")


def seen_anew(
    modality: Modality, dataset: Dataset, asked: Mapping[str, Any], of_run: dict[str, Any]
) -> tuple[Modality, dict[str, Any]]:
    """A run's modality with the augmentation that is asked for, and its settings.

    What is not asked for is what suits the data, as it would be from scratch.
    """
    if asked.get(AUGMENT, of_run.get(AUGMENT)) == of_run.get(AUGMENT):
        return modality, of_run
    faults = Faults()
    raw = {**of_run, AUGMENT: asked[AUGMENT]}
    chosen = assemble.component(modalities.table, raw, "", "modality", faults)
    faults.raise_if_any()
    fitted = assemble.fitted_modality(dataset, chosen).state()
    taken = {name: fitted[name] for name in chosen.cls.augmentation_state}
    return assemble.load_modality({**modality.state(), **taken}), chosen.plain()
