"""A finished run, and what it answers."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.api.given import Data, Inputs, asked
from headstart.data.given import IN_MEMORY, describe, is_given, on_disk
from headstart.errors import UserError
from headstart.runs.folder import RunFolder
from headstart.workflows.config import DataConfig
from headstart.workflows.request import config_of

if TYPE_CHECKING:
    from headstart.workflows.module import Encoder


class Run:
    """A finished run in its folder; the network is read when it is first asked."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @cached_property
    def _loaded(self) -> Any:
        from headstart.workflows.loaded import load_run

        return load_run(self.path)

    @property
    def config(self) -> dict[str, Any]:
        """Every setting, resolved: what `config.yaml` holds."""
        return RunFolder.open(self.path).read_config()

    @property
    def result(self) -> dict[str, Any]:
        """What `result.json` holds."""
        folder = RunFolder.open(self.path)
        result: dict[str, Any] = folder.read_json(folder.result)
        return result

    def evaluate(
        self, data: Data | None = None, *, split: str | None = None, tta: int = 0
    ) -> dict[str, Any]:
        """The task's figures on labelled data, by default on the run's own test split.

        tta: weakly augmented copies of each sample, over which and itself answers are averaged.

        Raises:
            UserError: the data do not suit the run or have no labels.
        """
        from headstart.workflows import answer

        if is_given(data):
            columns = ("target", "file_column", "text_column")
            known = {name: self.config["data"].get(name) for name in columns}
            with on_disk(data, known["file_column"]) as (path, splits):
                config = config_of(DataConfig, {**known, **splits, "path": path})
                found = answer.evaluate(self._loaded, config, split=split, copies=tta)
                return {**found, "data": describe(data)}
        path = str(data) if data is not None else self.config["data"]["path"]
        if data is None and path.endswith(IN_MEMORY):
            raise UserError(
                f"this run learned from {path}, which is not there any more.",
                "Give evaluate() the data.",
            )
        config = config_of(DataConfig, {"path": path})
        return answer.evaluate(self._loaded, config, split=split, copies=tta)

    def predict(
        self, inputs: Inputs, *, split: str | None = None, tta: int = 0
    ) -> dict[str, NDArray[Any]]:
        """Columns, each `[N]`: `name`; `label` and `probability_...`, or `prediction`.

        inputs: a source of data, a picture, a list of pictures, or an array of samples.
        tta: as in `evaluate`.

        Raises:
            UserError: the run has learned no labels, or the inputs cannot be read.
        """
        from headstart.workflows import answer

        with asked(inputs, self.config) as path:
            found = answer.predict(self._loaded, path, split=split, copies=tta)
        return {"name": np.array(found.names), **found.columns}

    def embed(self, inputs: Inputs, *, split: str | None = None) -> NDArray[np.float32]:
        """The encoder's features of each sample, `[N, D]`.

        Raises:
            UserError: the inputs cannot be read.
        """
        from headstart.workflows import answer

        with asked(inputs, self.config) as path:
            columns = answer.embed(self._loaded, path, split=split).columns
        found: NDArray[np.float32] = columns["embedding"]
        return found

    def export(
        self,
        out: str | Path,
        *,
        format: str | None = None,
        quantize: str | None = None,
        data: str | Path | None = None,
        tolerance: float = 1e-4,
    ) -> dict[str, Any]:
        """Write the run in a form that others run, and compare it with the run on real samples.

        out: the file or folder to write; format: by default as `out` ends.
        quantize: "int8", for ONNX. data: real samples to check by; by default the run's own.

        Returns: the files, and the largest difference of each output.

        Raises:
            UserError: the run does not fit the format, a package is missing, or what was written
                differs by more than `tolerance`; nothing is left behind.
        """
        from headstart.export.write import Request
        from headstart.export.write import export as work

        source = None if data is None else str(data)
        request = Request(Path(out), format, source, tolerance=tolerance, quantize=quantize)
        return work(self._loaded, request)

    @property
    def encoder(self) -> Encoder:
        """Its encoder as a plain `torch.nn.Module`, for loops of your own."""
        from headstart.workflows.module import encoder_of

        return encoder_of(self._loaded)

    def report(self) -> Path:
        """Draw the plots and `report.html`; returns the page's path."""
        from headstart.report import build

        return build(self.path)

    def card(self) -> Path:
        """Write a model card, `README.md`, into the run's folder; returns its path."""
        from headstart.report.card import write_card

        return write_card(self.path)

    def __repr__(self) -> str:
        result = self.result
        test = result.get("test", {})
        figures = [f"{n}={test[n]:.4f}" for n in ("accuracy", "mse") if n in test]
        return f"Run({str(self.path)!r}, {', '.join([result.get('command', ''), *figures])})"


def load(path: str | Path) -> Run:
    """A finished run.

    Raises:
        UserError: there is none at `path`.
    """
    return Run(RunFolder.open(path).path)
