"""Where the time goes: `--profile` writes a table and a trace into RUN/profile.

The engine names its phases (`with engine.phase("forward")`), which is one look at an attribute
when nobody profiles. With `Profile` among its watchers the whole run is timed by phase, and
PyTorch's profiler follows a few steps operator by operator.
"""

from __future__ import annotations

import gzip
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from headstart.errors import UserError
from headstart.parts.learner import Learner
from headstart.runs.atomic import write_text, write_with
from headstart.training.watching import Watcher

if TYPE_CHECKING:
    from headstart.training.engine import Engine
    from headstart.training.progress import Progress

WARM, TRACED = 5, 20  # steps
ROWS = 40  # of the table of operators
FIRST_PHASE = "data"  # a step begins with it


class Clock:
    """Seconds by phase. A phase within another is counted to the inner one alone.

    on_step: called when a step begins.
    """

    def __init__(self, device: torch.device, on_step: Callable[[], None] = lambda: None) -> None:
        self.seconds: dict[str, float] = {}
        self.running = True
        self._device = device
        self._on_step = on_step
        self._open: list[str] = []
        self._since = 0.0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what happens within."""
        if name == FIRST_PHASE:
            self._on_step()
        self._turn()
        self._open.append(name)
        try:
            with record_function(f"headstart: {name}"):
                yield
        finally:
            self._turn()
            self._open.pop()

    def _turn(self) -> None:
        """Count the time since the last turn to the phase that is open."""
        if self._device.type != "cpu":
            torch.accelerator.synchronize()
        now = time.perf_counter()
        if self._open and self.running:
            name = self._open[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now


class Profile(Watcher):
    """Times a run, traces some of its steps, writes both down.

    Steps that are traced are slower and are not timed.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._clock: Clock | None = None
        self._profiler: profile | None = None
        self._table = ""
        self._begun = 0.0
        self._untimed = self._traced_since = 0.0
        self._steps = 0

    def on_start(self, engine: Engine) -> None:
        """Begin to time; the trace begins when the first steps are over.

        Raises:
            UserError: the run has no folder, or none can be made within it.
        """
        if engine.folder is None:
            raise UserError("--profile needs a run folder.")
        self._folder = engine.folder.path / "profile"
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot write {self._folder}: {error.strerror}.") from error
        self._clock = engine.clock = Clock(engine.device, self._step)
        self._begun = time.perf_counter()

    def on_end(self, learner: Learner, at: Progress) -> dict[str, Any]:  # noqa: ARG002 - the face
        """Write `RUN/profile/table.txt` and `trace.json.gz`; shares of the time for the result."""
        if self._folder is None or self._clock is None:
            return {}
        self._stop_tracing()
        total = time.perf_counter() - self._begun - self._untimed
        shares = shares_of(self._clock.seconds, total)
        write_text(self._folder / "table.txt", table_of(shares, total) + "\n" + self._table)
        return {"profile": shares}

    def _step(self) -> None:
        self._steps += 1
        if self._steps == WARM + 1:
            self._start_tracing()
        elif self._steps == WARM + TRACED + 1:
            self._stop_tracing()

    def _start_tracing(self) -> None:
        assert self._clock is not None
        self._clock.running = False
        self._traced_since = time.perf_counter()
        activities = [ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(ProfilerActivity.CUDA)
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or it writes to stderr
        self._profiler = profile(activities=activities)
        self._profiler.start()

    def _stop_tracing(self) -> None:
        if self._profiler is None or self._clock is None or self._folder is None:
            return
        self._profiler.stop()
        averages = self._profiler.key_averages()
        on_gpu = torch.cuda.is_available()
        key = "self_cuda_time_total" if on_gpu else "self_cpu_time_total"
        self._table = (
            f"{TRACED} steps, operator by operator (trace.json.gz: chrome://tracing, Perfetto)\n"
            + averages.table(sort_by=key, row_limit=ROWS)
        )
        write_with(self._folder / "trace.json.gz", self._export)
        self._profiler = None
        self._untimed += time.perf_counter() - self._traced_since
        self._clock.running = True

    def _export(self, path: Path) -> None:
        assert self._profiler is not None
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            plain = Path(folder) / "trace.json"
            self._profiler.export_chrome_trace(str(plain))
            with gzip.open(path, "wb", compresslevel=6) as file:
                file.write(plain.read_bytes())


def shares_of(seconds: dict[str, float], total: float) -> dict[str, float]:
    """Each phase's share of `total` seconds, the largest first; `other` is the rest."""
    named = sorted(seconds.items(), key=lambda item: -item[1])
    shares = {name: spent / total for name, spent in named}
    return {**shares, "other": max(0.0, 1.0 - sum(shares.values()))}


def table_of(shares: dict[str, float], total: float) -> str:
    """Phases, their seconds and their shares, as text."""
    lines = [f"{'phase':<14}{'seconds':>10}{'share':>8}"]
    lines += [f"{name:<14}{share * total:>10.2f}{share:>8.1%}" for name, share in shares.items()]
    return "\n".join(lines) + "\n"
