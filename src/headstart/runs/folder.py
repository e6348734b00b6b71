"""The folder of one run: who may write it, and what its files are called."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from headstart import processes
from headstart.errors import UserError
from headstart.runs import atomic


class RunFolder:
    """Reads and writes the files of a run."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.yaml"
        self.preprocessing = self.path / "preprocessing.json"
        self.tokenizer = self.path / "tokenizer.json"
        self.model = self.path / "model.safetensors"
        self.result = self.path / "result.json"
        self.progress = self.path / "progress.jsonl"
        self.report = self.path / "report.html"
        self.samples = self.path / "samples"
        self.checkpoints = self.path / "checkpoints"
        self._lock: FileLock | None = None
        self._replaces = False  # whether it holds a run that goes when the new one begins

    @classmethod
    def create(cls, path: str | Path, *, resume: bool, overwrite: bool) -> RunFolder:
        """Open a folder for writing and lock it. Of several processes only the first does.

        A run that is to be overwritten stays until `begin`: a mistake costs nobody a finished run.

        Raises:
            UserError: it holds something already and neither `resume` nor `overwrite` was asked
                for; it is not a folder; it may not be written; another process writes it.
        """
        folder = cls(path)
        if folder.path.exists() and not folder.path.is_dir():
            raise UserError(f"--out {folder.path} is a file; a run needs a folder.")
        if not processes.is_first():
            return folder
        used = folder.path.is_dir() and not folder._is_blank()
        if used and not (resume or overwrite):
            raise UserError(
                f"the folder {folder.path} is not empty.",
                "Choose another --out, or add --resume to continue the run in it"
                " or --overwrite to replace it.",
            )
        if used and overwrite and not resume and not folder.config.exists():
            raise UserError(
                f"--overwrite replaces runs only, and {folder.path} is not one"
                " (it has no config.yaml).",
                "Choose another --out.",
            )
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            folder._acquire()
            folder._sweep()
            folder._replaces = used and overwrite and not resume
            if not folder._replaces:
                folder.checkpoints.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot write in {folder.path}: {error.strerror or error}.") from error
        return folder

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Open a finished run for reading.

        Raises:
            UserError: there is no such folder, or it is not a run with a model.
        """
        folder = cls(path)
        if not folder.path.is_dir():
            raise UserError(f"there is no run at {folder.path}.")
        if not folder.config.exists():
            raise UserError(f"{folder.path} is not a run: it has no config.yaml.")
        if not folder.model.exists():
            raise UserError(
                f"the run {folder.path} is not finished: it has no model.safetensors.",
                "Repeat the command that began it, with --resume.",
            )
        return folder

    def _is_blank(self) -> bool:
        """Whether it holds nothing but what a run that was killed at once leaves behind."""
        return all(
            entry.name == ".lock"
            or entry.name.endswith(atomic.MARK)
            or (entry == self.checkpoints and not any(entry.iterdir()))
            for entry in self.path.iterdir()
        )

    def _sweep(self) -> None:
        """Remove what a process that was killed had begun to write."""
        for unfinished in self.path.rglob(f".*{atomic.MARK}"):
            unfinished.unlink(missing_ok=True)

    def _acquire(self) -> None:
        # flock is released by the system when its process dies: a crash leaves nothing stuck.
        self._lock = FileLock(self.path / ".lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"another process is writing the run {self.path}.",
                "Wait for it to end, or choose another --out.",
            ) from None

    def begin(self) -> None:
        """Remove the run that is to be overwritten, now that another is sure to begin.

        Raises:
            UserError: something in it cannot be removed.
        """
        if not self._replaces:
            return
        try:
            # Its settings go last: what a kill leaves of it can still be told to be a run.
            for entry in sorted(self.path.iterdir(), key=lambda entry: entry == self.config):
                if entry.name != ".lock":
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            self.checkpoints.mkdir()
        except OSError as error:
            raise UserError(f"cannot replace {self.path}: {error.strerror or error}.") from error
        self._replaces = False

    def keep_apart(self, flag: str, *read: str | None) -> None:
        """Refuse to write where something lies that is read: it would be lost.

        read: files and folders; what there is none of is passed over.

        Raises:
            UserError: one of them is this folder, or lies in it.
        """
        here = self.path.resolve()
        for name in read:
            if name and Path(name).exists() and Path(name).resolve().is_relative_to(here):
                place = "is" if Path(name).resolve() == here else "lies in"
                raise UserError(
                    f"{flag} {name} {place} the folder of the new run, --out {self.path}.",
                    "Choose another --out.",
                )

    def release(self) -> None:
        """Let other processes write the folder."""
        if self._lock is None:
            return
        # Removed while it is held: whoever opened the file before finds that it has gone.
        with suppress(OSError):
            (self.path / ".lock").unlink(missing_ok=True)
        self._lock.release()
        if not self.config.exists():  # the work was refused before it began: leave no trace
            for folder in (self.checkpoints, self.path):
                with suppress(OSError):  # it holds something, so it stays
                    folder.rmdir()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def write_json(self, path: Path, value: Any) -> None:
        """Replace one of the run's JSON files."""
        atomic.write_json(path, value)

    def read_json(self, path: Path) -> Any:
        """Read one of the run's JSON files.

        Raises:
            UserError: it is missing or damaged.
        """
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"the run {self.path} has no {path.name}.") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {error}.") from error

    def write_preprocessing(self, state: dict[str, Any]) -> None:
        """Write preprocessing.json; a tokenizer within goes into a file of its own beside it."""
        tokenizer = state.get("tokenizer")
        if tokenizer is not None:
            atomic.write_json(self.tokenizer, tokenizer)
            state = {**state, "tokenizer": self.tokenizer.name}
        atomic.write_json(self.preprocessing, state)

    def read_preprocessing(self) -> dict[str, Any]:
        """What `write_preprocessing` was given.

        Raises:
            UserError: a file is missing or damaged.
        """
        state = self.read_json(self.preprocessing)
        if not isinstance(state, dict):
            raise UserError(f"{self.preprocessing} is malformed: expected a JSON object.")
        if "tokenizer" in state:
            state["tokenizer"] = self.read_json(self.tokenizer)
        return state

    def read_config(self) -> dict[str, Any]:
        """The resolved settings of the run."""
        from headstart.settings.files import read_yaml

        return read_yaml(self.config)

    def checkpoint_files(self) -> list[Path]:
        """Complete checkpoints, newest first."""
        return sorted(self.checkpoints.glob("step-*.safetensors"), reverse=True)

    def append_progress(self, record: dict[str, Any]) -> None:
        """Add a line to progress.jsonl."""
        if not processes.is_first():
            return
        try:
            with self.progress.open("a", encoding="utf-8") as file:
                file.write(json.dumps(atomic.finite(record)) + "\n")
        except OSError as error:
            raise UserError(f"cannot write {self.progress}: {error.strerror}.") from error

    def read_progress(self) -> list[dict[str, Any]]:
        """All whole lines of progress.jsonl; a line cut short by a crash is left out."""
        if not self.progress.exists():
            return []
        records = []
        for line in self.progress.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                continue
        return records

    def truncate_progress(self, step: int) -> None:
        """Drop lines after `step`: a resumed run writes them again."""
        if not self.progress.exists():
            return
        kept = [r for r in self.read_progress() if r.get("step", 0) <= step]
        atomic.write_text(self.progress, "".join(json.dumps(r) + "\n" for r in kept))
