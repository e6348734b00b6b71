"""Kill runs at random instants, resume them, and compare the end bit for bit.

    python benchmarks/kill.py --kills 200          # about ten minutes on one core
    python benchmarks/kill.py --quick              # a handful

Every job (each objective of the table, a learner of two players, one with a moving-average teacher,
each task from scratch and from a pre-trained run) is trained once without interruption. Then it is
trained again and killed, resumed and killed, a few times in the same folder, and left to finish.
Half the kills come from outside (SIGKILL after a random time), half from inside: at a random one
of the instants at which a file is half-written, synced but not renamed, or just renamed, so that
checkpoints, model.safetensors and result.json are all hit. The weights, the figures of the result
and the lines of progress.jsonl must be those of the run never killed.

Processes are forked from one that has imported everything: a start costs milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from headstart import objectives, tasks
from headstart.backbones.mlp import MLP
from headstart.data.cells import joined
from headstart.data.dataset import Dataset, Samples
from headstart.data.named import read_named
from headstart.data.splits import ensure_test
from headstart.runs.folder import RunFolder
from headstart.workflows.config import FinetuneConfig, PretrainConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.pretrain import pretrain
from headstart.workflows.request import config_of
from learners import ROWS

KILLED = -signal.SIGKILL
ALWAYS = ("two-players", "taught", "run")  # last words of the names of jobs that --quick takes
TRAINING = {
    "duration": "36 steps",
    "batch_size": 16,
    "checkpoint_every": "5 steps",
    "validate_every": "9 steps",
    "ema": 0.9,
    "threads": 1,
}


@dataclass
class Job:
    """One run: its settings and data, and what became of it."""

    name: str
    raw: dict
    dataset: Dataset
    seconds: float = 0.0
    kills: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def run(self, folder: Path) -> None:
        """Begin or go on, in this process."""
        cls = FinetuneConfig if self.raw["command"] == "finetune" else PretrainConfig
        work = finetune if self.raw["command"] == "finetune" else pretrain
        with RunFolder.create(folder, resume=True, overwrite=False) as opened:
            work(config_of(cls, self.raw), opened, dataset=self.dataset, resume=True)


def numbers() -> Dataset:
    """A table whose target is a number."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(300, 6)).astype(np.float32)
    y = (x @ np.arange(6) + generator.normal(size=300)).astype(np.float64)
    return Dataset("numbers", "table", {"train": Samples(x, y)})


def columns() -> Dataset:
    """A table of a number and a category, whose target is a class."""
    generator = np.random.default_rng(0)
    x, colour = generator.normal(size=300), generator.choice(["red", "blue"], 300).astype(object)
    y = ((x > 0) ^ (colour == "red")).astype(np.int64)
    return Dataset("columns", "table", {"train": Samples(joined({"x": x, "colour": colour}), y)})


def jobs(folder: Path) -> list[Job]:
    """Every objective, both kinds of players, every task; the last from a run made here."""
    digits = ensure_test(read_named("digits"), 0)
    digits = digits.with_splits(
        {n: s.take(np.arange(min(320, len(s)))) for n, s in digits.splits.items()}
    )
    sets = {"classification": digits, "regression": ensure_test(numbers(), 0)}
    network = {"name": "mlp", "widths": [16, 8]}
    of_columns = {"name": "tabm", "members": 2, "width": 16, "depth": 1}
    found = []
    for name in objectives.table:
        objective = objectives.table.load(name)
        if not issubclass(MLP, objective.needs):
            continue
        on_pictures = "continuous" in objective.reads
        raw = {
            "command": "pretrain",
            "backbone": network if on_pictures else of_columns,
            "objective": {"name": name},
            "training": TRAINING,
        }
        found.append(Job(f"pretrain {name}", raw, digits if on_pictures else columns()))
    start = folder / "start"
    found[0].run(start)
    for name in tasks.table:
        if name not in sets:
            continue
        raw = {"command": "finetune", "task": {"name": name}, "training": TRAINING}
        found.append(Job(f"finetune {name}", {**raw, "backbone": network}, sets[name]))
    raw = {**raw, "task": {"name": "classification"}, "start": str(start)}
    found.append(Job("finetune from a run", raw, digits))
    return found


def forked(job: Job, folder: Path, instant: int | None) -> int:
    """Start the job in a process of its own; `instant`: the write at which it kills itself."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        log = os.open(folder.parent / f"{folder.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if instant is not None:
            kill_at(instant)
        job.run(folder)
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def kill_at(instant: int) -> None:
    """Die at the `instant`-th of the moments around a sync or a rename."""
    moments = iter(range(10**9))
    fsync, replace = os.fsync, Path.replace

    def moment() -> bool:
        return next(moments) == instant

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def dying_fsync(descriptor: int) -> None:
        if moment():  # the file is there, in part
            name = Path(f"/proc/self/fd/{descriptor}").readlink()
            if name.is_file():
                os.truncate(name, name.stat().st_size // 2)
            die()
        fsync(descriptor)

    def dying_replace(self: Path, target: Path) -> Path:
        if moment():
            die()
        done = replace(self, target)
        if moment():
            die()
        return done

    os.fsync, Path.replace = dying_fsync, dying_replace


def ended(pid: int) -> int:
    """The exit code of a process, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed(job: Job, folder: Path, dice: random.Random, writes: int) -> str | None:
    """Begin or resume, and kill; where it was hit, or None if it had finished before."""
    if dice.random() < 0.5:
        pid = forked(job, folder, dice.randrange(writes))
        where = "while a file is written"
    else:
        pid = forked(job, folder, None)
        time.sleep(dice.uniform(0, job.seconds))
        os.kill(pid, signal.SIGKILL)
        where = "at a random time"
    code = ended(pid)
    if code not in (0, KILLED):
        job.faults.append(f"exit code {code}: see {folder}.log")
    return where if code == KILLED else None


def outcome(folder: Path) -> dict:
    """What must be equal: weights, figures, lines."""
    result = json.loads((folder / "result.json").read_text())
    lines = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    return {
        "weights": {
            n: w.numpy().tobytes() for n, w in load_file(folder / "model.safetensors").items()
        },
        "result": {key: result[key] for key in ("val", "loss", "steps", "best_step")},
        "progress": [{k: v for k, v in line.items() if k != "seconds"} for line in lines],
    }


def torment(job: Job, folder: Path, kills: int, dice: random.Random) -> None:
    """Train a job whole and in pieces, and compare."""
    begun = time.monotonic()
    whole = folder / f"{job.name}-whole"
    if ended(forked(job, whole, None)) != 0:
        job.faults.append(f"does not finish: see {whole}.log")
        return
    job.seconds = time.monotonic() - begun
    expected = outcome(whole)
    writes = 4 * 3 * (36 // 5 + 4) // 2  # about as many moments as a run has
    done = 0
    while done < kills and not job.faults:
        cut = folder / f"{job.name}-cut-{done}"
        for _ in range(min(kills - done, dice.randint(1, 5))):
            where = killed(job, cut, dice, writes)
            if where is None:
                break
            job.kills[where] += 1
            done += 1
        if ended(forked(job, cut, None)) != 0:
            job.faults.append(f"does not resume: see {cut}.log")
            break
        found = outcome(cut)
        job.faults += [f"{key} differ: {cut}" for key in expected if found[key] != expected[key]]
        left = [p.name for p in cut.rglob("*.unfinished")]
        job.faults += [f"left behind: {name}" for name in left]
        if not job.faults:
            shutil.rmtree(cut)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="ten kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="jobs whose name has this in it")
    options = parser.parse_args(arguments)
    kills = 10 if options.quick else options.kills
    dice = random.Random(options.seed)
    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp(prefix="headstart-kill-"))
    with patch.dict(objectives.table._own, ROWS):
        all_jobs = [job for job in jobs(folder) if options.only in job.name]
        if options.quick:
            always = [job for job in all_jobs if job.name.split()[-1] in ALWAYS]
            rest = [job for job in all_jobs if job not in always]
            all_jobs = [*always, *dice.sample(rest, min(2, len(rest)))]
        share, more = divmod(kills, len(all_jobs))
        for i, job in enumerate(all_jobs):
            torment(job, folder, share + (i < more), dice)
            counts = ", ".join(f"{n} {where}" for where, n in sorted(job.kills.items()))
            verdict = "; ".join(job.faults) or "bit-identical"
            print(f"{job.name:32} {counts:58} {verdict}", flush=True)
    total = sum(sum(job.kills.values()) for job in all_jobs)
    bad = [job.name for job in all_jobs if job.faults]
    print(f"{total} kills over {len(all_jobs)} jobs; {len(bad)} jobs did not end alike")
    if not bad:
        shutil.rmtree(folder)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
