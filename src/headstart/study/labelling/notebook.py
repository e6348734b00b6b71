"""Labels as they are given: a line each, on disk before the next sample is shown.

`labels.jsonl` is only ever added to: an undo is a line as well. What a crash cut off is removed
when the file is opened again. `labels.csv` beside it is what `finetune --labels-from` reads.
"""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

from headstart.data import label_file
from headstart.errors import UserError
from headstart.runs.atomic import write_text

LINES, TABLE = "labels.jsonl", "labels.csv"


class Notebook:
    """What was said of samples, the newest last."""

    def __init__(self, folder: Path) -> None:
        """Open or begin it.

        Raises:
            UserError: a line of it is damaged.
        """
        self._path = folder / LINES
        self.table = folder / TABLE
        self._said: dict[str, str | None] = {}
        for number, line in enumerate(self._whole_lines(), start=1):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(f"{self._path}, line {number} is damaged: {error}.") from error

    def _whole_lines(self) -> list[bytes]:
        if not self._path.exists():
            return []
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        # Not `splitlines`: U+2028 and its like end no line of JSON.
        return whole.split(b"\n")[:-1]

    def _take(self, entry: dict[str, Any]) -> None:
        if "undo" in entry:
            self._said.pop(entry["undo"], None)
        else:
            self._said.pop(entry["name"], None)  # said anew: it is the newest
            self._said[entry["name"]] = entry["label"]

    def say(self, name: str, label: str | None) -> None:
        """Give a sample a label; None skips it."""
        self._append({"name": name, "label": label})

    def undo(self) -> str | None:
        """Take back what was said last; returns of which sample, or None where nothing is left."""
        if not self._said:
            return None
        last = next(reversed(self._said))
        self._append({"undo": last})
        return last

    def _append(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UserError(f"cannot write {self._path}: {error.strerror}.") from error
        self._take(entry)

    @property
    def labels(self) -> dict[str, str]:
        """Of the samples that have one."""
        return {name: label for name, label in self._said.items() if label is not None}

    @property
    def seen(self) -> list[str]:
        """Names of all samples that something was said of."""
        return list(self._said)

    def write_table(self) -> None:
        """Write `labels.csv`."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow([label_file.NAME, label_file.LABEL])
        rows.writerows(self.labels.items())
        write_text(self.table, text.getvalue())
