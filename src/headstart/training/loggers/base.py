"""The face of an adapter, and the watcher that feeds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from headstart.errors import UserError
from headstart.parts.learner import Learner
from headstart.training import loggers
from headstart.training.watching import Watcher

if TYPE_CHECKING:
    from headstart.training.engine import Engine
    from headstart.training.progress import Progress

PROJECT = "headstart"


class Adapter(Protocol):
    """One library. `ImportError` from the constructor means that it is not installed."""

    def open(self, folder: Path, config: Mapping[str, Any], run: str | None, step: int) -> str:
        """Begin a run, or continue `run` at `step`; returns what it can be continued by."""
        ...

    def log(self, step: int, figures: dict[str, float]) -> None:
        """Figures by name, such as `train/loss`."""
        ...

    def close(self) -> None:
        """The run is over."""
        ...


class LogTo(Watcher):
    """Sends each line of progress to an adapter."""

    def __init__(self, name: str, adapter: Adapter) -> None:
        self.name = f"log {name}"
        self._adapter = adapter
        self._run: str | None = None

    def on_start(self, engine: Engine) -> None:
        """Open it; after a resume, the run that was open before."""
        if engine.folder is None:
            raise UserError("--log needs a run folder.")
        config = engine.folder.read_config()
        self._run = self._adapter.open(engine.folder.path, config, self._run, engine.at.step)

    def on_log(self, record: dict[str, Any]) -> None:
        """Send a line."""
        if self._run is not None:
            self._adapter.log(record["step"], flat(record))

    def on_end(self, learner: Learner, at: Progress) -> dict[str, Any]:  # noqa: ARG002 - the face
        """Close it."""
        self._adapter.close()
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Which run it is."""
        return {"run": self._run}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self._run = state["run"]


def make(names: Sequence[str]) -> list[LogTo]:
    """One watcher for each name, each name once.

    Raises:
        UserError: a name is in no table, or its library is not installed.
    """
    made = []
    for name in dict.fromkeys(names):
        try:
            adapter = loggers.table.load(name)()
        except ImportError as error:
            raise UserError(
                f"--log {name} needs a package that is not installed ({error}).",
                "Install it: pip install 'headstart[track]'",
            ) from error
        made.append(LogTo(name, adapter))
    return made


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Nested figures as `group/name`; what is no number is left out, `step` too."""
    found: dict[str, float] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool) and name != "step":
            found[prefix + name] = float(value)
    return found
