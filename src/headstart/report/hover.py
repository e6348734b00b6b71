"""The samples behind the points of a map: what the page shows where somebody points at one."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.data.dataset import Samples
from headstart.report.page import Spots
from headstart.workflows.loaded import LoadedRun
from headstart.workflows.sheets import brightness, tiled

MOST_PICTURES = 1_000  # on the page: they are most of its size
SIDE = 32  # pixels of a small picture at most
COLUMNS = 40
MOST_LETTERS = 160


def spots(run: LoadedRun, x: Tensor, samples: Samples, places: list[tuple[float, float]]) -> Spots:
    """What each point says: its label and its text or name, and its picture where it has one.

    x: compact samples, the first of which were mapped; places: per cent of the map's width and
    height, `[N]`.
    """
    texts = [_said(samples, i) for i in range(len(places))]
    if not run.modality.spec.is_image:
        return Spots(places, texts)
    some = x[: min(MOST_PICTURES, len(places))]
    seen = [brightness(run.modality, run.batch(part).x) for part in torch.split(some, 256)]
    small = [_small(part) for part in seen]
    sheet = _sheet(small)
    height, width = small[0].shape[2:]
    return Spots(places, texts, sheet, len(some), COLUMNS, (width, height))


def _said(samples: Samples, i: int) -> str:
    said = []
    if samples.targets is not None and bool(samples.has_label[i]):
        said.append(str(samples.targets[i]))
    inputs: Any = samples.inputs
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind in "OU" and inputs.dtype.names is None:
        text = str(inputs[i])
        said.append(text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} …")
    else:
        said.append(f"sample {samples.name(i)}")
    return ": ".join(said)


def _small(pictures: Tensor) -> Tensor:
    """`[B, C, H, W]` in 0..1, at most `SIDE` on their longer side."""
    longest = max(pictures.shape[2:])
    if longest <= SIDE:
        return pictures
    scale = SIDE / longest
    return F.interpolate(
        pictures, scale_factor=scale, mode="bilinear", antialias=True, align_corners=False
    )


def _sheet(small: list[Tensor]) -> str:
    """All pictures in one, row by row, as a `data:` address."""
    from PIL import Image

    whole = torch.cat(small)
    rows = math.ceil(len(whole) / COLUMNS)
    pixels = (255 * tiled(whole, COLUMNS)).round().byte().permute(1, 2, 0).numpy()  # [rows·H, W, C]
    assert pixels.shape[0] == rows * whole.shape[2]
    grey = pixels.shape[2] == 1
    picture = Image.fromarray(pixels[:, :, 0] if grey else pixels[:, :, :3])
    file = io.BytesIO()
    kind = "png" if grey and whole.shape[2] <= 16 else "jpeg"
    picture.save(file, format=kind, **({"quality": 70} if kind == "jpeg" else {}))
    return f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode()
