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
from headstart.modalities.base import Augmentable, Modality
from headstart.settings import Faults
from headstart.workflows import assemble
from headstart.workflows.assemble import Component

AUGMENT = "augment"


def chosen_anew(
    asked: Mapping[str, Any], of_run: Mapping[str, Any], run: str, faults: Faults
) -> Component | None:
    """The modality of `run` with the augmentation that is asked for; None where none is.

    Whatever else is asked of it is a fault.
    """
    before = of_run.get(AUGMENT)
    rest, kept = ({n: v for n, v in one.items() if n != AUGMENT} for one in (asked, of_run))
    may = issubclass(modalities.table.load(str(of_run["name"])), Augmentable)
    other = asked.get(AUGMENT, before) != before
    if rest not in ({}, {"name": of_run["name"]}, kept) or (other and not may):
        but = f" but for those of modality.{AUGMENT}" if may else ""
        faults.add(
            f"the modality comes from the run {run}: leave its settings out{but}, or leave"
            " --from out."
        )
        return None
    if not other:
        return None
    raw = {**of_run, AUGMENT: asked[AUGMENT]}
    return assemble.component(modalities.table, raw, "", "modality", faults)


def seen_anew(modality: Modality, chosen: Component, dataset: Dataset) -> Modality:
    """A run's modality with the augmentation of `chosen`.

    What that does not name is what suits the data, as it would be from scratch.
    """
    assert isinstance(modality, Augmentable)
    return modality.augmented_by(chosen.config.augment, dataset.train)
