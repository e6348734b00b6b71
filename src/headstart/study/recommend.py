"""What to begin with on data that nobody has tried: rules for what is known, a try for what is not.

Facts decide the network and its size, the length of the training and how to fine-tune; they come
with the reason. Which objective suits the data no rule knows: a few are tried for a few minutes, as
`--objective auto` does, and judged by a linear probe where there are labels enough, else without.
The same try tells how long a step takes here and how much memory it wants.
"""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from headstart.backbones.base import Backbone
from headstart.data import memory
from headstart.data.dataset import Dataset
from headstart.errors import UserError
from headstart.modalities.base import Modality
from headstart.settings import Duration, Faults
from headstart.settings.sizes import in_words
from headstart.study.commands import data_flags
from headstart.training import devices
from headstart.training.memory import peak
from headstart.workflows import assemble, bakeoff, candidates, judges
from headstart.workflows.assemble import Component, Say
from headstart.workflows.bakeoff import AutoConfig, BakeOff, Tried
from headstart.workflows.config import DataConfig, PretrainConfig
from headstart.workflows.request import config_of
from headstart.workflows.sets import by_window, windows_of
from headstart.workflows.supply import Supply
from headstart.workflows.watchers import looked_at

MINUTES = 2.0  # of trying
LABELS_TO_JUDGE = 200  # from which a linear probe says more than agreement of views
TELLING = 20  # steps of each try, below which chance decides
MOST_SAMPLES = 20_000  # that are tried on: more would only be read, not seen
EPOCHS, FEWEST, MOST = (
    10,
    1_500,
    20_000,
)  # of pre-training that is recommended: epochs, steps, steps
FEW_A_CLASS = 100  # labels, up to which samples without labels help fine-tuning


@dataclass(frozen=True)
class Recommendation:
    """What to do, why, what it will take, and what to type.

    config: settings for `headstart pretrain --config`; minutes, memory: expected, of pre-training.
    """

    facts: dict[str, Any]
    hardware: dict[str, Any]
    tried: dict[str, Any]
    objective: str
    backbone: str
    parameters: int
    steps: int
    batch_size: int
    minutes: float
    memory: int
    reasons: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)


def recommend(
    data: DataConfig, *, minutes: float = MINUTES, say: Say = lambda _: None
) -> Recommendation:
    """Look at the data, try a few objectives for `minutes` in all, and say what to begin with.

    Raises:
        UserError: the data cannot be read, no objective suits them, or the time is too short.
    """
    if minutes <= 0:
        raise UserError(f"--minutes must be above 0, not {minutes:g}.")
    dataset = assemble.open_data(data)
    faults = Faults()
    chosen = assemble.modality_for({}, dataset, faults)
    network = assemble.backbone_for({}, chosen, faults)
    faults.raise_if_any()
    modality = assemble.fitted_modality(dataset, chosen)
    found, size, parameters = _tried(_Subject(data, dataset, modality, network), minutes, say)
    best = next(t for t in found.tried if t.objective == found.chosen)
    samples = len(dataset.train)
    steps = int(min(MOST, max(FEWEST, round(EPOCHS * samples / size))))
    facts = _facts(dataset, modality)
    made = Recommendation(
        facts=facts,
        hardware=_hardware(),
        tried=asdict(found),
        objective=found.chosen,
        backbone=network.name,
        parameters=parameters,
        steps=steps,
        batch_size=size,
        minutes=steps * best.trained / max(1, best.steps) / 60,
        memory=peak(devices.pick("auto")) or 0,
    )
    usual = config_of(DataConfig, {})
    made.config.update(
        {
            "data": {k: v for k, v in vars(data).items() if v != getattr(usual, k)},
            "objective": {"name": made.objective},
            "backbone": network.plain(),
            "training": {"duration": f"{steps} steps", "batch_size": size},
        }
    )
    made.reasons.extend(_reasons(made, found))
    made.commands.extend(_commands(made, data))
    return made


@dataclass(frozen=True)
class _Subject:
    """What is tried on."""

    data: DataConfig
    dataset: Dataset
    modality: Modality
    network: Component


def _tried(subject: _Subject, minutes: float, say: Say) -> tuple[BakeOff, int, int]:
    """What a short try finds; the batch size of the winner, and the network's parameters."""
    data, dataset, modality = subject.data, subject.dataset, by_window(subject.modality)
    names = candidates.few(dataset.kind, modality.default_objective)
    auto = config_of(AutoConfig, {"candidates": names})
    config = config_of(PretrainConfig, {"data": {"path": data.path}})
    some = dataset.train
    if len(some) > MOST_SAMPLES:
        rows = np.random.default_rng(0).permutation(len(some))[:MOST_SAMPLES]
        some = some.take(np.sort(rows))
    whole = some  # pieces of long recordings have no labels
    some = windows_of(subject.modality, {"train": some})["train"]

    def fresh() -> Backbone:
        return assemble.build_backbone(subject.network, modality.spec, 0)

    with Supply(
        {"train": some}, modality, data, seed=0, batch_size=bakeoff.USUAL_BATCH, say=say
    ) as supply:
        loader = supply.loaders["train"]
        judge = judges.label_free(dataset.kind, modality, loader)
        if int(whole.has_label.sum()) >= LABELS_TO_JUDGE and whole.targets is not None:
            targets = whole.targets
            if targets.ndim == 1 and targets.dtype.kind in "iufbU":
                judge = judges.by_labels(modality, looked_at(whole, modality, 0), 0)
        setup = bakeoff.TrialSetup(config, fresh, modality, loader, judge)
        found = bakeoff.bake_off(auto, setup, Duration(minutes, "minutes"), say)
        if _fewest(found) < TELLING:
            usual = next(n for n in names if any(t.objective == n for t in _judged(found)))
            found = replace(found, chosen=usual)
            say(f"that was too short to tell: {usual} is the usual one for {dataset.kind} data")
        winner = bakeoff.learner_for(found.chosen, setup)
    size = assemble.batch_size_for(len(dataset.train), None, winner.usual_batch)
    return found, size, sum(p.numel() for p in winner.encoder.parameters())


def _judged(found: BakeOff) -> list[Tried]:
    return [t for t in found.tried if t.score is not None]


def _fewest(found: BakeOff) -> int:
    return min(t.steps for t in _judged(found))


def _facts(dataset: Dataset, modality: Modality) -> dict[str, Any]:
    train = dataset.train
    labelled = int(train.has_label.sum())
    facts: dict[str, Any] = {
        "kind": dataset.kind,
        "samples": len(train),
        "labels": labelled,
        "shape": list(modality.spec.shape),
        "values": modality.spec.kind,
        "task": assemble.task_for(dataset).name if labelled else dataset.task,
    }
    if labelled and train.targets is not None and train.targets.ndim == 1:
        values, counts = np.unique(train.targets[train.has_label], return_counts=True)
        facts["distinct_labels"] = len(values)
        facts["fewest_of_a_label"] = int(counts.min())
    return facts


def _hardware() -> dict[str, Any]:
    return {
        "device": str(devices.pick("auto")),
        "processors": devices.available_threads(),
        "memory_available": memory.available(),
    }


def _reasons(made: Recommendation, found: BakeOff) -> list[str]:
    """Why each part is as it is, a sentence each."""
    facts = made.facts
    first = sorted(_judged(found), key=lambda t: -(t.score or 0.0))
    ranked = ", ".join(f"{t.objective} {t.score:.3f}" for t in first)
    how = f"judged by {found.judged_by}"
    if found.labels:
        how += f" on {found.labels:,} labels of train"
    size = "×".join(map(str, facts["shape"]))
    why = f"the best of a short try, {how}: {ranked}."
    if (fewest := _fewest(found)) < TELLING:
        why = (
            f"the usual one for {facts['kind']} data. The try was too short to tell ({fewest:,}"
            f" steps of some, {how}: {ranked}): give it more --minutes."
        )
    processors = f"{(n := made.hardware['processors'])} processor{'s' if n > 1 else ''}"
    said = [
        f"Objective {made.objective}: {why}",
        f"Backbone {made.backbone} ({made.parameters:,} parameters): the one that suits"
        f" {facts['kind']} of {size}, and trains on this hardware.",
        f"{made.steps:,} steps of {made.batch_size}: {EPOCHS} passes over"
        f" {facts['samples']:,} samples, at least {FEWEST:,} and at most {MOST:,} steps.",
        f"About {_time(made.minutes)} and {in_words(made.memory)} of memory, as measured while"
        f" trying on {made.hardware['device']} with {processors}.",
    ]
    if facts["labels"] == 0:
        said.append("There are no labels yet: headstart label says which samples to label first.")
    elif facts["labels"] < facts["samples"]:
        said.append(
            f"{facts['labels']:,} of {facts['samples']:,} samples have labels: the others are what"
            " pre-training is for."
        )
    else:
        said.append(
            "All samples have labels. Pre-training pays most where labels are few: the comparison"
            " below tells whether it does here."
        )
    return said


def _time(minutes: float) -> str:
    """`12 minutes`, `3 hours`."""
    if minutes >= 100:
        return f"{minutes / 60:.0f} hours"
    return "a minute" if minutes < 1.5 else f"{minutes:.0f} minutes"


def _commands(made: Recommendation, data: DataConfig) -> list[str]:
    """To paste: pre-training, fine-tuning, and the comparison that says whether it paid."""
    facts = made.facts
    source = shlex.quote(data.path)
    flags = "".join(f" {flag}" for flag in data_flags(data))
    task = " --task regression" if facts["task"] == "regression" else ""
    few = facts["labels"] < facts["samples"] and _few(facts)
    rest = {"image": " --unlabelled self-train"}
    if facts["values"] == "continuous":  # vat moves samples by little, which categories are not
        rest["table"] = " --unlabelled vat"
    more = rest.get(facts["kind"], "") if few and facts["task"] == "classification" else ""
    begin = (
        f"headstart pretrain {source}{flags} --objective {made.objective}"
        f" --backbone {made.backbone} --steps {made.steps} --batch-size {made.batch_size}"
        " --out runs/pretrained"
    )
    if facts["labels"] == 0:
        label = f"headstart label runs/pretrained {source}{flags} --count 100 --out labels.csv"
        return [begin, label]
    budgets = _budgets(facts)
    return [
        begin,
        f"headstart finetune {source}{flags}{task} --from runs/pretrained{more} --out runs/model",
        f"headstart compare {source}{flags}{task} --from runs/pretrained"
        f" --labels {','.join(map(str, budgets))} --out runs/comparison",
    ]


def _few(facts: dict[str, Any]) -> bool:
    classes = max(1, facts.get("distinct_labels", 1))
    return bool(facts["labels"] <= FEW_A_CLASS * classes)


def _budgets(facts: dict[str, Any]) -> list[int]:
    """Numbers of labels worth comparing: from a few a class to all there are, in steps of ten."""
    classes, most = 1, facts["labels"]
    if facts["task"] == "classification":  # as many of each, of which the rarest has so few
        classes = facts.get("distinct_labels", 1)
        most = min(most, classes * facts.get("fewest_of_a_label", most))
    first = max(10, classes)
    found = [n for n in (first, 10 * first, 100 * first) if n < most]
    return found or [most]
