"""ONNX: a graph with dynamic batch, run by ONNX Runtime without PyTorch or headstart."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch

from headstart.export import text_files
from headstart.export.base import Asked, Work, require

LARGEST = 1_800_000_000  # bytes in one file; protobuf ends at two gigabytes
METADATA = "headstart"


class Onnx:
    """See `base.Format`."""

    suffix: ClassVar[str] = ".onnx"
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime")

    @staticmethod
    def write(path: Path, work: Work) -> None:
        """The graph, what it is about in its metadata, a text's tokenizer beside it."""
        require(Onnx.needs, "ONNX")
        text_files.write_tokenizer(path, work)
        with warnings.catch_warnings(), _silent("torch.onnx"):
            warnings.simplefilter("ignore")  # the exporter's own, about its own parts
            made = torch.onnx.export(
                work.graph.program(work.raw[:3]),
                input_names=[work.graph.door.name],
                output_names=work.graph.names,
                verbose=False,
            )
        assert made is not None
        made.model.metadata_props[METADATA] = json.dumps(work.about, ensure_ascii=False)
        size = sum(p.nbytes for p in work.graph.state_dict().values())
        made.save(str(path), external_data=size > LARGEST)

    @staticmethod
    def opened(path: Path) -> Asked:
        """A session of ONNX Runtime."""
        return session(path)


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Only errors of the logger `name` meanwhile."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def session(path: Path) -> Asked:
    """A function of raw samples that ONNX Runtime computes, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    made = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = made.get_inputs()[0].name
    names = [output.name for output in made.get_outputs()]

    def ask(raw: Any) -> dict[str, Any]:
        return dict(zip(names, made.run(None, {name: raw}), strict=True))

    return ask
