"""A finished run, and what it answers."""

from __future__ import annotations

import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.api.given import Data, Inputs, asked, in_memory, name_of, path_only
from headstart.data.given import is_given
from headstart.data.held import IN_MEMORY
from headstart.errors import UserError
from headstart.runs.folder import RunFolder
from headstart.training.display import speaker
from headstart.workflows.config import COLUMNS, DataConfig
from headstart.workflows.request import config_of, nest

if TYPE_CHECKING:
    from headstart.workflows.module import Encoder


OF_FRAMES = ("target", *COLUMNS)  # read as those were that were learned from


class Run:
    """A finished run in its folder; the network is read when it is first asked."""

    def __init__(self, path: str | Path, device: str = "auto") -> None:
        self.path = Path(path)
        self.device = device

    @cached_property
    def _loaded(self) -> Any:
        from headstart.workflows.loaded import load_run

        return load_run(self.path, self.device)

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
        self, data: Data = None, *, split: str | None = None, tta: int = 0, **settings: Any
    ) -> dict[str, Any]:
        """The task's figures on labelled data, by default on the run's own test split.

        data: a path or a name, a pair of samples and labels, a frame, a data set of Hugging Face.
        tta: weakly augmented copies of each sample, over which and itself answers are averaged.
        settings: how the data are read, as the flags of `headstart evaluate`: target, on_bad, ...;
            by default as the run's were.

        Raises:
            UserError: the data do not suit the run or have no labels.
        """
        found = self._evaluated(data, nest(DataConfig, settings), split=split, copies=tta)
        if "warning" in found:
            warnings.warn(found["warning"], stacklevel=2)
        return found

    def _evaluated(self, data: Data, told: dict[str, Any], **asked: Any) -> dict[str, Any]:
        from headstart.workflows import answer
        from headstart.workflows.origin import learned_from

        learned = learned_from(self.config, self.result)
        path = learned.path if data is None else name_of(data)
        if data is None and path.endswith(IN_MEMORY):
            raise UserError(
                f"this run learned from {path}, which is not there any more.",
                "Give evaluate() the data.",
            )
        raw = {**told, "path": path}
        if data is None or isinstance(data, str | Path):
            return answer.evaluate(self._loaded, config_of(DataConfig, raw), **asked)
        kind = self._loaded.modality.state()["modality"]
        known: dict[str, Any] = {"kind": kind, "layout": learned.layout}
        if is_given(data):
            known |= {name: getattr(learned, name) for name in OF_FRAMES}
            known["kind"] = "series" if kind == "series" else None
        config = config_of(DataConfig, {**known, **raw})
        with in_memory(data, config, to_learn=False) as dataset:
            return answer.evaluate(self._loaded, config, dataset=dataset, **asked)

    def predict(
        self,
        inputs: Inputs,
        *,
        split: str | None = None,
        tta: int = 0,
        on_bad: str = "fail",
        **columns: str,
    ) -> dict[str, NDArray[Any]]:
        """Columns, each `[N]`: `name`; `label` and `probability_...`, or `prediction`.

        inputs: a source of data, a picture, a list of pictures or texts, or an array of samples.
        tta: as in `evaluate`.
        on_bad: "skip" leaves samples out that cannot be read, and says on stderr which.
        columns: of a table, text_column, file_column, series_column or time_column, where they are
            not called as in what the run learned from.

        Raises:
            UserError: the run has learned no labels, or the inputs cannot be read.
        """
        from headstart.workflows import answer

        with asked(inputs, self.config, columns) as path:
            found = answer.predict(
                self._loaded, path, split=split, copies=tta, on_bad=on_bad, columns=columns
            )
        _say_skipped(found.skipped)
        return {"name": np.array(found.names), **found.columns}

    def embed(
        self, inputs: Inputs, *, split: str | None = None, on_bad: str = "fail", **columns: str
    ) -> NDArray[np.float32]:
        """The encoder's features of each sample, `[N, D]`; arguments as of `predict`.

        Raises:
            UserError: the inputs cannot be read.
        """
        from headstart.workflows import answer

        with asked(inputs, self.config, columns) as path:
            answers = answer.embed(self._loaded, path, split=split, on_bad=on_bad, columns=columns)
        _say_skipped(answers.skipped)
        found: NDArray[np.float32] = answers.columns["embedding"]
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

        source = None if data is None else path_only(data, "export")
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

        return build(self.path, device=self.device)

    def card(self) -> Path:
        """Write a model card, `README.md`, into the run's folder; returns its path."""
        from headstart.report.card import write_card

        return write_card(self.path)

    def __repr__(self) -> str:
        result = self.result
        test = result.get("test", {})
        figures = [f"{n}={test[n]:.4f}" for n in ("accuracy", "mse") if n in test]
        return f"Run({str(self.path)!r}, {', '.join([result.get('command', ''), *figures])})"


def load(path: str | Path, *, device: str = "auto") -> Run:
    """A finished run.

    device: where it answers: cpu, cuda, cuda:1, mps ...; auto takes the best there is.

    Raises:
        UserError: there is none at `path`.
    """
    return Run(RunFolder.open(path).path, device)


def evaluate(run: Run | str | Path, data: Data = None, **options: Any) -> dict[str, Any]:
    """`Run.evaluate`, of a run or its folder."""
    return _run(run).evaluate(data, **options)


def predict(run: Run | str | Path, inputs: Inputs, **options: Any) -> dict[str, NDArray[Any]]:
    """`Run.predict`, of a run or its folder."""
    return _run(run).predict(inputs, **options)


def embed(run: Run | str | Path, inputs: Inputs, **options: Any) -> NDArray[np.float32]:
    """`Run.embed`, of a run or its folder."""
    return _run(run).embed(inputs, **options)


def _run(run: Run | str | Path) -> Run:
    return run if isinstance(run, Run) else load(run)


def _say_skipped(names: list[str]) -> None:
    """Nothing is left out in silence, though it was allowed."""
    if names:
        more = f" and {len(names) - 5:,} more" if names[5:] else ""
        say = speaker(quiet=False)
        say(f"left out, for they cannot be read: {', '.join(names[:5])}{more}")
