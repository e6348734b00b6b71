"""Whole numbers of 8 bits: weights, and where convolutions count, what flows between layers too.

Transformers and perceptrons are quantised dynamically (each batch finds its own range); networks
of convolutions statically, QDQ, with ranges seen on training samples (Jacob et al., 2018,
arXiv:1712.05877; https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
What prepares samples stays as it is: in a map of pitches whole numbers would drown what is soft.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray

CALIBRATION = 256  # training samples whose ranges are taken
BATCH = 32
SCOPES = "pkg.torch.onnx.name_scopes"


def quantise(path: Path, samples: NDArray[Any]) -> str:
    """Replace the graph at `path` by its quantised one; returns how, in a sentence.

    samples: raw training samples `[N, ...]` for calibration.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    size = path.stat().st_size
    ready = path.with_suffix(".ready.onnx")
    model = onnx.load(path)
    kept = {prop.key: prop.value for prop in model.metadata_props}
    name = model.graph.input[0].name
    door = [node.name for node in model.graph.node if _of_door(node)]
    convolutions = any(n.op_type == "Conv" and not _of_door(n) for n in model.graph.node)
    level = logging.root.level
    try:
        logging.root.setLevel(logging.ERROR)  # it logs advice on the root
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quant_pre_process(str(path), str(ready), skip_symbolic_shape=True)
            if convolutions:
                quantize_static(
                    str(ready), str(path), _Reader(name, samples), per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                    nodes_to_exclude=door,
                    extra_options={"ActivationSymmetric": False},
                )  # fmt: skip
            else:
                quantize_dynamic(
                    str(ready), str(path), per_channel=True, weight_type=QuantType.QInt8,
                    nodes_to_exclude=door,
                )  # fmt: skip
    finally:
        logging.root.setLevel(level)
        ready.unlink(missing_ok=True)
    made = onnx.load(path)
    onnx.helper.set_model_props(made, kept)
    onnx.save(made, path)
    how = f"static, ranges of {len(samples):,} training samples" if convolutions else "dynamic"
    return f"int8, {how}; {size:,} bytes before, {path.stat().st_size:,} after"


def _of_door(node: Any) -> bool:
    """Whether a node comes from the graph's door, by the scopes that the exporter notes down."""
    scopes = {prop.key: prop.value for prop in node.metadata_props}.get(SCOPES, "")
    return "'door'" in scopes


class _Reader:
    """Batches for calibration, as ONNX Runtime asks for them."""

    def __init__(self, name: str, samples: NDArray[Any]) -> None:
        self._parts: Iterator[dict[str, Any]] = iter(
            [{name: samples[i : i + BATCH]} for i in range(0, len(samples), BATCH)]
        )

    def get_next(self) -> dict[str, Any] | None:
        """The next batch, or None after the last."""
        return next(self._parts, None)
