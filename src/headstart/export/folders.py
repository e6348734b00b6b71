"""Folders that run by themselves: a script, and a scikit-learn estimator, both on ONNX Runtime."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from headstart.errors import UserError
from headstart.export.base import Asked, Work
from headstart.export.onnx import Onnx
from headstart.modalities.audio import Audio

MODEL = "model.onnx"
SHARED = "headstart_model.py"
HEARING = "headstart_hearing.py"  # what `data.hearing` is called there


class Script:
    """`predict.py`, which is executable, with the weights beside it; see `base.Format`."""

    suffix: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = Onnx.needs
    own: ClassVar[str] = "predict.py"

    @classmethod
    def write(cls, path: Path, work: Work) -> None:
        """The graph, and the files that run it."""
        path.mkdir()
        Onnx.write(path / MODEL, work)
        for name in (SHARED, cls.own):
            source = files("headstart.export").joinpath("templates", name)
            (path / name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
        if isinstance(work.graph.door.modality, Audio):
            hearing = files("headstart.data").joinpath("hearing.py")
            (path / HEARING).write_text(hearing.read_text(encoding="utf-8"), encoding="utf-8")
        if cls.own == Script.own:
            (path / cls.own).chmod(0o755)

    @classmethod
    def opened(cls, path: Path) -> Asked:
        """The script, run in a process of its own."""
        return lambda raw: _run([str(path / cls.own)], raw)


class Sklearn(Script):
    """`headstart_sklearn.py`, whose `load()` gives an estimator; see `base.Format`."""

    own: ClassVar[str] = "headstart_sklearn.py"

    @classmethod
    def opened(cls, path: Path) -> Asked:
        """The estimator, in a process of its own."""
        code = (
            "import sys, numpy as np; sys.path.insert(0, sys.argv[1]);"
            "from headstart_sklearn import load;"
            "np.savez(sys.argv[4], **load().outputs(np.load(sys.argv[2])))"
        )
        return lambda raw: _run(["-c", code, str(path)], raw)


def _run(command: list[str], raw: Any) -> dict[str, Any]:
    """Outputs by name, of `COMMAND raw.npy --out out.npz`."""
    with tempfile.TemporaryDirectory() as folder:
        inputs, out = Path(folder, "raw.npy"), Path(folder, "out.npz")
        np.save(inputs, raw)
        done = subprocess.run(
            [sys.executable, *command, str(inputs), "--out", str(out)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise UserError(f"what was written does not run: {last}", "Nothing was kept.")
        with np.load(out) as found:
            return {name: found[name] for name in found.files}
