"""The network that is taken where none is named: in pre-training, and in a comparison of it."""

import pytest

from headstart import backbones, modalities, objectives
from headstart.settings import Faults
from headstart.workflows.assemble import Component, component, usual_backbone


def named(table, name):
    faults = Faults()
    found = component(table, {"name": name}, "", "part", faults)
    faults.raise_if_any()
    return found


@pytest.mark.parametrize(
    ("modality", "objective", "backbone"),
    [
        ("image", "simclr", "conv"),
        ("image", "masked", "vit"),
        ("text", "mlm", "transformer"),
        ("table", "vime", "tabm"),
    ],
)
def test_the_modality_s_own_unless_the_objective_needs_another(modality, objective, backbone):
    parts = named(modalities.table, modality), named(objectives.table, objective)
    assert usual_backbone(*parts) == backbone


@pytest.mark.parametrize("objective", list(objectives.table))
def test_it_is_what_the_objective_needs(objective):
    chosen = named(objectives.table, objective)
    for name in modalities.table:
        found = usual_backbone(named(modalities.table, name), chosen)
        assert issubclass(backbones.table.load(found), chosen.cls.needs)


def test_a_misspelt_name_has_one_too_so_that_all_faults_are_told_at_once():
    unknown = Component("imgae", None, None)
    assert usual_backbone(unknown, unknown) == "mlp"
