"""A labelling at work: the batch to label, what was said, and the fine-tuning in the background."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unicodedata import category

import numpy as np

from headstart.data.dataset import Dataset
from headstart.errors import UserError
from headstart.runs.atomic import write_text
from headstart.runs.folder import RunFolder
from headstart.settings import Duration
from headstart.settings.files import read_yaml, to_yaml
from headstart.study.labelling import showing, table
from headstart.study.labelling.choose import AUTO, MOST, Pool, pool_of, to_label
from headstart.study.labelling.folder import ASKED, models
from headstart.study.labelling.notebook import Notebook
from headstart.workflows.assemble import Say
from headstart.workflows.config import DataConfig, FinetuneConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.loaded import load_run
from headstart.workflows.request import config_of

BATCH = 20
MOST_CLASSES = 60  # that are offered unasked
NO_TEXT = ("Cc", "Cs", "Zl", "Zp")  # of characters: control, half of a pair, ends of lines
KEYS = "1234567890qwetyopasdfghjklzxcvbnm"  # without those of undo, replay and skip


@dataclass(frozen=True)
class Plan:
    """What a labelling is about. steps: of each fine-tuning, None for the usual number."""

    run: str
    data: DataConfig
    classes: tuple[str, ...] = ()
    rule: str = AUTO
    batch: int = BATCH
    steps: int | None = None
    seed: int = 0
    device: str = "auto"
    most: int = MOST


class Session:
    """Everything the page asks for. Its methods may be called from several threads.

    folder: where labels and fine-tuned runs are kept; opened again, it goes on.
    """

    def __init__(self, folder: Path, plan: Plan, *, say: Say = lambda _: None) -> None:
        """Choose the first batch, or go on.

        Raises:
            UserError: the run or the data cannot be read, or the folder is of another labelling.
        """
        self.folder, self.plan, self._say = folder, plan, say
        self._check_folder()
        if plan.rule != AUTO:
            table.load(plan.rule)
        run = load_run(plan.run, plan.device)
        self.dataset: Dataset
        self.dataset, self._read = to_label(run, plan.data)
        self.notebook = Notebook(folder)
        self.classes = self._classes()
        self._lock = threading.RLock()
        self._worker: threading.Thread | None = None
        self.training = {"state": "idle", "message": ""}
        done = models(self.folder)
        self.rounds = len(done)
        model = load_run(done[-1], plan.device) if done else run
        self.pool: Pool = self._pool(model)
        self.queue: list[int] = []
        self._guesses: dict[str, str] = {}
        self._propose()
        self._begin()

    @property
    def _question(self) -> dict[str, str]:
        return {"run": str(Path(self.plan.run).resolve()), "data": self.plan.data.path}

    def _check_folder(self) -> None:
        file, now = self.folder / ASKED, self._question
        if file.exists():
            before = read_yaml(file)
            changed = [name for name in now if before.get(name) != now[name]]
            if changed:
                raise UserError(
                    f"{self.folder} holds a labelling of another {' and '.join(changed)}:",
                    *[f"- {n}: {before.get(n)} then, {now[n]} now" for n in changed],
                    "Choose another --out.",
                )
        elif self.folder.exists() and not self.folder.is_dir():
            raise UserError(f"--out {self.folder} is a file; a labelling needs a folder.")
        elif self.folder.is_dir() and any(self.folder.iterdir()):
            raise UserError(
                f"the folder {self.folder} is not empty, and holds no labelling.",
                "Choose another --out.",
            )

    def _begin(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot write in {self.folder}: {error.strerror}.") from error
        write_text(self.folder / ASKED, to_yaml(self._question))

    def _classes(self) -> list[str]:
        """Those that were named, else those the data know, and all that were used before."""
        known: Sequence[str] = self.plan.classes
        train = self.dataset.train
        if not known and train.targets is not None and train.targets.dtype.kind in "iuU":
            there = np.unique(train.targets[train.has_label])
            known = [str(name) for name in there] if len(there) <= MOST_CLASSES else []
        return list(dict.fromkeys([*known, *self.notebook.labels.values()]))

    def _pool(self, run: Any) -> Pool:
        return pool_of(
            run,
            self.dataset,
            self._read,
            known=self.notebook.seen,
            most=self.plan.most,
            seed=self.plan.seed,
            say=self._say,
        )

    def _propose(self) -> None:
        """Choose the next batch; what the model says of it is kept, to compare."""
        left = len(self.pool.names) - len(set(self.notebook.seen) & set(self.pool.names))
        count = min(self.plan.batch, left)
        seed = self.plan.seed + self.rounds
        chosen = self.pool.choose(self.plan.rule, count, self.notebook.seen, seed) if count else []
        self.queue = chosen
        self._guesses = {} if self.pool.answers is None else self._guessed(chosen)

    def _guessed(self, rows: Sequence[int]) -> dict[str, str]:
        assert self.pool.answers is not None
        classes = self.pool.classes
        best = self.pool.answers[list(rows)].argmax(dim=1).tolist()
        return {self.pool.names[i]: classes[k] for i, k in zip(rows, best, strict=True)}

    # ---------------------------------------------------------------- what the page does

    def state(self) -> dict[str, Any]:
        """Everything the page shows."""
        with self._lock:
            labels = self.notebook.labels
            agreed = [self._guesses[n] == labels[n] for n in self._guesses if n in labels]
            return {
                "classes": [{"name": n, "key": k} for n, k in keys_of(self.classes).items()],
                "counts": Counter(labels.values()),
                "labels": len(labels),
                "skipped": len(self.notebook.seen) - len(labels),
                "left": len(self.queue),
                "batch": self.plan.batch,
                "samples": self.pool.of,
                "rounds": self.rounds,
                "training": dict(self.training),
                "agreed": {"right": sum(agreed), "of": len(agreed)},
                "sample": self._shown(self.queue[0]) if self.queue else None,
                "next": self.queue[1] if len(self.queue) > 1 else None,
                "file": str(self.notebook.table),
            }

    def _shown(self, row: int) -> dict[str, Any]:
        words = showing.in_words(self.dataset, self.pool.samples, row)
        return {"row": row, "name": self.pool.names[row], **words}

    def media(self, row: int) -> tuple[str, bytes]:
        """A picture or sound of the pool."""
        if not 0 <= row < len(self.pool.names):
            raise UserError(f"there is no sample {row}.")
        return showing.media(self.dataset, self.pool.samples, row)

    def say(self, name: str, label: str | None) -> None:
        """Label the sample in front, or skip it; a class that is new is added.

        Raises:
            UserError: another sample is in front (another window was faster), or the label is
                empty.
        """
        with self._lock:
            if not self.queue or self.pool.names[self.queue[0]] != name:
                raise UserError("that sample is not in front any more: the page shows the next.")
            if label is not None:
                label = label.strip()
                if not label or len(label) > 200 or any(category(c) in NO_TEXT for c in label):
                    raise UserError("a label is a short piece of text.")
                if label not in self.classes:
                    self.classes.append(label)
            self.notebook.say(name, label)
            self.queue.pop(0)
            self.notebook.write_table()

    def undo(self) -> None:
        """Take back what was said last, and show that sample again."""
        with self._lock:
            name = self.notebook.undo()
            if name is not None and name in self.pool.names:
                self.queue.insert(0, self.pool.names.index(name))
                self.notebook.write_table()

    def more(self) -> None:
        """Another batch, from the model there is."""
        with self._lock:
            self.rounds += 1
            self._propose()

    # ---------------------------------------------------------------- the fine-tuning

    def train(self) -> None:
        """Fine-tune on all labels in the background, then choose the next batch.

        Raises:
            UserError: there are too few labels, or it is at work already.
        """
        with self._lock:
            if self.training["state"] == "running":
                raise UserError("a fine-tuning is at work already.")
            if len(set(self.notebook.labels.values())) < 2:
                raise UserError("label samples of two classes at least, then fine-tune.")
            self.notebook.write_table()
            count = len(self.notebook.labels)
            self.training = {"state": "running", "message": f"learning from {count} labels"}
            self._worker = threading.Thread(target=self._work, daemon=True)
            self._worker.start()

    def _work(self) -> None:
        try:
            message = self._trained()
            state = "done"
        except UserError as error:
            state, message = "failed", str(error)
        except Exception as error:  # the page must hear of it; the terminal has the rest
            state, message = "failed", f"a bug of headstart: {error!r}"
            raise
        finally:
            with self._lock:
                self.training = {"state": state, "message": message}

    def _trained(self) -> str:
        number = 1 + max((int(p.name) for p in models(self.folder)), default=0)
        path = self.folder / "runs" / str(number)
        config = config_of(FinetuneConfig, {
            "start": str(self.plan.run), "labels_from": str(self.notebook.table),
            "seed": self.plan.seed, "training": {"device": self.plan.device},
        })  # fmt: skip
        training = config.training
        if self.plan.steps is not None:
            training = replace(training, duration=Duration(self.plan.steps, "steps"))
        config = replace(config, data=self._read, training=training)
        with RunFolder.create(path, resume=False, overwrite=True) as folder:
            result = finetune(config, folder, dataset=self.dataset, say=self._say)
        pool = self._pool(load_run(path, self.plan.device))
        with self._lock:
            self.pool = pool
            self.rounds += 1
            self._propose()
        held = result["val"].get("accuracy")
        judged = "" if held is None else f", {held:.0%} right on those set apart to validate"
        return f"learned from {result['labels']} labels in {result['seconds']:.0f} s{judged}"

    def wait(self, seconds: float | None = None) -> None:
        """Until the fine-tuning in the background has ended."""
        if self._worker is not None:
            self._worker.join(seconds)


def keys_of(classes: Sequence[str]) -> dict[str, str]:
    """The key of each class: its own name where that is one letter, else the next free one."""
    own = {name: name.lower() for name in classes if len(name) == 1 and name.lower() in KEYS}
    if len(set(own.values())) < len(classes):
        own = {}
    free = iter(key for key in KEYS if key not in own.values())
    return {name: own.get(name) or next(free, "") for name in classes}
