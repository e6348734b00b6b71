"""How each piece of work of a comparison is done; what is done leaves a file."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart.baselines import base as baselines
from headstart.baselines.base import learned
from headstart.baselines.models import Problem, linear, nearest
from headstart.data.dataset import Samples
from headstart.modalities.base import Modality
from headstart.runs.atomic import write_json, write_with
from headstart.runs.folder import RunFolder
from headstart.settings import merge
from headstart.study.config import ALL, finetuning, pretraining
from headstart.study.plan import Item, Method, Plan, Source, modality_of
from headstart.training.watching import Display
from headstart.workflows import assemble
from headstart.workflows.assemble import Say
from headstart.workflows.config import FinetuneConfig, PretrainConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.loaded import CHUNK, load_run
from headstart.workflows.pretrain import pretrain
from headstart.workflows.request import config_of
from headstart.workflows.supply import Supply

HEAVY_FIGURES = ("confusion",)  # not kept for each draw


def path_of(plan: Plan, item: Item) -> Path:
    """The file that says that a piece of work is done."""
    if item.kind == "cell":
        return plan.folder / "cells" / f"{item.name}.json"
    assert item.source is not None
    if item.kind == "features":
        return plan.folder / "features" / f"{item.source.file}.npz"
    return item.source.folder / "result.json"


def done(plan: Plan, item: Item) -> bool:
    """Whether it is done, of the very samples that are asked for."""
    path = path_of(plan, item)
    if not path.exists():
        return False
    if item.kind == "features":
        with np.load(path) as kept:
            return bool(np.isin(plan.drawn(), kept["asked"]).all())
    return True


@dataclass
class Worker:
    """One process that does pieces of work. threads: of the processor; None: all."""

    plan: Plan
    threads: int | None = None
    display: Display | None = None
    say: Say = lambda _: None

    def do(self, item: Item) -> None:
        """Do one piece of work, going on where an interrupted one ended."""
        begun, used = time.monotonic(), time.process_time()
        if item.kind == "pretrain":
            self._pretrain(item)
            return
        if item.kind == "features":
            assert item.source is not None
            self._features(item.source, path_of(self.plan, item))
            return
        assert item.method is not None
        found = self._cell(item, item.method)
        figures = {k: v for k, v in found["figures"].items() if k not in HEAVY_FIGURES}
        count = len(self.plan.draw(item.labels, item.seed))
        cell = {
            "method": item.method.name,
            "way": item.method.way,
            "asked": item.labels,
            "labels": count,
            "seed": item.seed,
            "start": str(item.method.source.folder) if item.method.source else None,
            **found,
            "figures": figures,
            "wall_seconds": found.get("wall_seconds", time.monotonic() - begun),
            "cpu_seconds": time.process_time() - used,
        }
        path = path_of(self.plan, item)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, cell)

    @cached_property
    def modality(self) -> Modality:
        """Fitted on train, for what has no run of its own."""
        plan = self.plan
        return assemble.fitted_modality(plan.dataset, modality_of(plan.config, plan.dataset))

    @cached_property
    def test(self) -> Samples:
        """The labelled samples of the test split."""
        test = self.plan.dataset.splits["test"]
        return test.take(np.flatnonzero(test.has_label))

    def _training(self, more: dict[str, Any]) -> dict[str, Any]:
        threads = {} if self.threads is None else {"threads": self.threads}
        return {"device": self.plan.config.device, **threads, **more}

    def _pretrain(self, item: Item) -> None:
        assert item.source is not None
        config, used = self.plan.config, time.process_time()
        length = pretraining(config)
        raw = merge(
            config.pretrain,
            {
                "data": _plain_data(self.plan),
                "objective": {"name": item.source.name},
                "backbone": item.source.backbone,
                "training": self._training({"duration": str(length)} if length else {}),
            },
        )
        with _folder(item.source.folder) as (folder, resume):
            result = pretrain(
                config_of(PretrainConfig, raw),
                folder,
                dataset=self.plan.dataset,
                resume=resume,
                display=self.display,
                say=self.say,
            )
            result["cpu_seconds"] = time.process_time() - used
            folder.write_json(folder.result, result)
        _tidy(item.source.folder)

    def _cell(self, item: Item, method: Method) -> dict[str, Any]:
        if method.way in ("fine-tuned", "scratch"):
            return self._finetuned(item, method)
        if method.way == "baseline":
            return {"figures": self._baseline(item, method.name)}
        return {"figures": self._probe(item, method)}

    def _finetuned(self, item: Item, method: Method) -> dict[str, Any]:
        config = self.plan.config
        length = finetuning(config, pretrained=method.source is not None)
        own: dict[str, Any] = {
            "data": _plain_data(self.plan),
            "labels": None if item.labels == ALL else item.labels,
            "seed": item.seed,
            "task": self.plan.task.plain(),
            "training": self._training({"duration": str(length)} if length else {}),
        }
        if method.source is not None:
            own["start"] = str(method.source.folder)
        else:
            own["backbone"] = json.loads(method.backbone)
            own["modality"] = json.loads(method.modality)
            if anew := config.finetune.get("modality", {}).get("augment"):
                own["modality"]["augment"] = anew  # as what is pre-trained is fine-tuned by
        out = self.plan.folder / "runs" / item.name
        with _folder(out) as (folder, resume):
            result = finetune(
                config_of(FinetuneConfig, merge(config.finetune, own)),
                folder,
                dataset=self.plan.dataset,
                resume=resume,
                display=self.display,
            )
        _tidy(out)
        return {
            "figures": result["test"],
            "steps": result["steps"],
            "wall_seconds": result["wall_seconds"],
            "run": str(out),
        }

    def _baseline(self, item: Item, name: str) -> dict[str, Any]:
        few = self.plan.dataset.train.take(self.plan.draw(item.labels, item.seed))
        few, test = self._readable(few), self._readable_test
        assert few.targets is not None
        assert test.targets is not None
        task = self._task(few)
        model = baselines.fit(name, few, self.modality, task, item.seed)
        outputs = model.outputs(test)
        found: dict[str, Any] = task.figures(outputs, task.encode(test.targets, "test"))
        return found

    def _readable(self, samples: Samples) -> Samples:
        """Without the damaged ones, which networks leave out too: baselines would see blanks."""
        if self.plan.config.data.on_bad != "skip":
            return samples
        _, bad = self.modality.tensor(samples, on_bad="skip")
        return samples.take(np.setdiff1d(np.arange(len(samples)), bad))

    @cached_property
    def _readable_test(self) -> Samples:
        return self._readable(self.test)

    def _probe(self, item: Item, method: Method) -> dict[str, Any]:
        """Features of an encoder that does not move, and the simplest that learns from them."""
        from sklearn.preprocessing import StandardScaler

        assert method.source is not None
        path = self.plan.folder / "features" / f"{method.source.file}.npz"
        with np.load(path) as kept:
            rows, x, test, index = (kept[k] for k in ("rows", "x", "test", "test_rows"))
        mine = np.isin(rows, self.plan.draw(item.labels, item.seed))
        few = self.plan.dataset.train.take(rows[mine])
        assert few.targets is not None
        assert self.test.targets is not None
        task = self._task(few)

        def make(problem: Problem) -> Any:
            if method.way == "neighbours":
                return nearest(problem, "cosine")
            return linear(problem, StandardScaler())

        model = learned(make, x[mine], task.encode(few.targets, "train"), task, item.seed)
        truth = task.encode(self.test.targets[index], "test")
        found: dict[str, Any] = task.figures(model.outputs(test), truth)
        return found

    def _task(self, few: Samples) -> Any:
        task = self.plan.task
        return task.cls(task.config, 1, task.cls.fit(task.config, few.targets))

    def _features(self, source: Source, path: Path) -> None:
        """Features of all samples that some draw holds, and of test; damaged ones are left out."""
        run = load_run(source.folder, self.plan.config.device)
        asked = self.plan.drawn()
        data = self.plan.config.data
        parts = {"train": self.plan.dataset.train.take(asked), "test": self.test}
        with Supply(parts, run.modality, data, seed=0, batch_size=CHUNK) as supply:
            found = {}
            for name, loader in supply.loaders.items():
                x = torch.cat([run.embeddings(x) for x, _ in loader.in_order(CHUNK)])
                good = np.setdiff1d(np.arange(len(parts[name])), list(loader.damaged(0)))
                found[name] = (x.numpy(), good)
        path.parent.mkdir(parents=True, exist_ok=True)

        def write(temporary: Path) -> None:
            (x, good), (test, test_rows) = found["train"], found["test"]
            with temporary.open("wb") as file:
                np.savez(file, asked=asked, rows=asked[good], x=x, test=test, test_rows=test_rows)

        write_with(path, write)


def _plain_data(plan: Plan) -> dict[str, Any]:
    return {k: v for k, v in vars(plan.config.data).items() if v is not None}


@contextmanager
def _folder(path: Path) -> Iterator[tuple[RunFolder, bool]]:
    """A run's folder, and whether an interrupted run in it is to be continued."""
    resume = (path / "config.yaml").exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with RunFolder.create(path, resume=resume, overwrite=not resume) as folder:
        yield folder, resume


def _tidy(folder: Path) -> None:
    """Checkpoints of a finished run are not needed any more."""
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
