"""What a search is asked: what may vary for such data, and that a folder is asked one thing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart import objectives, tasks
from headstart.data.dataset import Dataset
from headstart.errors import UserError
from headstart.modalities.augment.kinds import WEAK
from headstart.runs.atomic import write_text
from headstart.runs.folder import RunFolder
from headstart.settings import Faults, as_plain, resolve
from headstart.settings.files import read_yaml, to_yaml
from headstart.study import tuning_spaces as spaces
from headstart.study.tuning_config import ASKED, TuneConfig
from headstart.tasks.supervised import FineTuneConfig
from headstart.training.config import TrainingConfig
from headstart.types import Spec
from headstart.workflows import assemble
from headstart.workflows.assemble import Component
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.request import config_of

FREE = ("search.trials", "training.device", "training.threads", "data.workers", "data.max_memory")


@dataclass
class Parts:
    """The task, the network's name, usual ranges, every default as a tree, what the user gave."""

    task: Component
    backbone: str
    ranges: dict[str, spaces.Range]
    defaults: dict[str, Any]
    given: dict[str, Any]
    objective: dict[str, Any] | None = None


def parts_of(config: FinetuneConfig, dataset: Dataset, search: TuneConfig) -> Parts:
    """What a search is about; all faults of the settings in one error."""
    faults = Faults()
    if search.objective is not None and config.start is not None:
        raise UserError("--from and --objective both say what to start from: give one of them.")
    usual = assemble.task_for(dataset).name
    task = assemble.component(tasks.table, config.task, usual, "task", faults)
    how = resolve(FineTuneConfig, config.finetune, faults, "finetune")
    raw_backbone, raw_modality = config.backbone, config.modality
    if config.start is not None:
        of_run = RunFolder.open(config.start).read_config()
        raw_backbone, raw_modality = of_run.get("backbone", {}), of_run.get("modality", {})
    reader = assemble.modality_for(raw_modality, dataset, faults)
    backbone = assemble.backbone_for(raw_backbone, reader, faults)
    faults.raise_if_any()
    modality = assemble.fitted_modality(dataset, reader)
    picture = ""
    if modality.spec.is_image:
        picture = modality.state().get("augment", {}).get("kind", "none")
    fresh = config.start is None
    groups = _groups(task.name, backbone.name, reader.name, picture, modality.spec, fresh=fresh)
    defaults = {
        "training": as_plain(config.training),
        "finetune": as_plain(how),
        "task": task.plain(),
    }
    if fresh:  # otherwise both come from the run, as they are
        defaults |= {"backbone": backbone.plain(), "modality": _usual_reading(reader, picture)}
    objective = _objective(search, modality.spec)
    if objective is not None:
        groups["objective"] = spaces.OBJECTIVE.get(objective.name, {})
        groups["finetune"] = {**groups["finetune"], **spaces.PRETRAINED}
        defaults["objective"] = objective.plain()
    before = None if objective is None else {"name": objective.name}
    return Parts(task, backbone.name, spaces.usual(groups), defaults, _given(config), before)


def _objective(search: TuneConfig, spec: Spec) -> Component | None:
    """What each trial pre-trains by, where the search asks for that."""
    if search.objective is None:
        return None
    faults = Faults()
    named = {"name": search.objective}
    objective = assemble.component(objectives.table, named, "", "objective", faults)
    faults.raise_if_any()
    assemble.check_reads(objective, spec)
    return objective


def _usual_reading(reader: Component, picture: str) -> dict[str, Any]:
    """The modality's settings; strengths that are null are those that suit the kind of picture."""
    plain = reader.plain()
    weak = {str(k): amounts for k, amounts in WEAK.items()}.get(picture, {})
    if "augment" in plain:
        plain["augment"] |= {n: a for n, a in weak.items() if plain["augment"][n] is None}
    return plain


def _given(config: FinetuneConfig) -> dict[str, Any]:
    """What the user gave, by dotted name."""
    given = {f"{part}.{n}": v for part in ("backbone", "modality", "task", "finetune")
             for n, v in spaces.leaves(getattr(config, part))}  # fmt: skip
    usual = as_plain(config_of(TrainingConfig, {}))
    training = as_plain(config.training).items()
    return given | {f"training.{n}": v for n, v in training if v != usual[n]}


def _groups(
    task: str, backbone: str, modality: str, picture: str, spec: Spec, *, fresh: bool
) -> dict[str, dict[str, spaces.Range]]:
    """The usual ranges for such a run, by group."""
    groups = {
        "training": spaces.TABLE_TRAINING if modality == "table" else spaces.TRAINING,
        "finetune": dict(spaces.ANY_FINETUNING),
        "task": spaces.TASK.get(task, {}),
    }
    if not fresh:
        groups["finetune"] |= spaces.PRETRAINED
    else:
        groups["backbone"] = spaces.BACKBONE.get(backbone, {"activation": spaces.ACTIVATIONS})
        groups["modality"] = spaces.MODALITY.get(modality, {})
        groups["modality.augment"] = spaces.AUGMENTATION.get(picture, {})
    if spec.is_image and task == "classification":
        groups["finetune"] |= spaces.PICTURES_WITH_CLASSES
    return groups


def same_question(out: Path, asked: dict[str, Any]) -> None:
    """Note what is asked; refuse to go on with a search that was asked something else.

    Raises:
        UserError: `out` holds another search, or something that is none.
    """
    file = out / ASKED
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; a search needs a folder.")
    if not file.exists():
        if out.is_dir() and any(p for p in out.iterdir() if not p.name.startswith(".")):
            raise UserError(
                f"the folder {out} is not empty, and holds no search.", "Choose another --out."
            )
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot write in {out}: {error.strerror or error}.") from error
        write_text(file, to_yaml(asked))
        return
    before, now = dict(spaces.leaves(read_yaml(file))), dict(spaces.leaves(asked))
    changed = [
        name for name in {**before, **now}
        if before.get(name) != now.get(name) and name not in FREE
    ]  # fmt: skip
    if changed:
        lines = [f"- {n}: {before.get(n)!r} then, {now.get(n)!r} now" for n in changed]
        raise UserError(
            f"{out} holds a search that was asked something else:",
            *lines,
            "Repeat its command to go on with it, or choose another --out.",
        )
