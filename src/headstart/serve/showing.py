"""One sample as a page can show it: a picture, a course, a text, a row."""

from __future__ import annotations

import base64
import io
import math
import wave
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from torch import Tensor

from headstart.data.hearing import HEAD, lengths
from headstart.modalities.image import Image
from headstart.modalities.series import Series
from headstart.modalities.text import Text

Shown = dict[str, Any]
POINTS = 200  # of a course
MOST_SENT = 200_000  # numbers of a series or a sound that the page offers to try


def show(modality: Any, x: Tensor, raw: Any = None) -> Shown:
    """A compact sample `[...]` under `picture`, `course`, `text` or `row`.

    raw: what the source gave: a text, or a row by column.
    """
    if isinstance(raw, dict):
        return {"row": raw}
    if isinstance(modality, Text):
        return {"text": raw if isinstance(raw, str) else modality.texts(x[None])[0]}
    if isinstance(modality, Image):
        return {"picture": png(x)}
    if isinstance(modality, Series):
        return {"course": course(x[0])}
    if modality.decoding is not None:  # a sound: a head, then samples
        length = int(modality.reading.window * modality.reading.windows)
        return {"course": course(x[-length:].float() / 32_768)}
    return {"row": {f"column {i + 1}": round(v, 4) for i, v in enumerate(x.tolist())}}


def sent(modality: Any, x: Tensor) -> Shown:
    """A compact sample as a request may hold it, where `show` draws its course alone: `series`,
    a list of channels, or `sound`, a WAV file in base64. Nothing of one that is very large."""
    if isinstance(modality, Series):
        known = x.isfinite().any(dim=0).nonzero()
        if x.numel() > MOST_SENT or len(known) == 0:
            return {}
        rows = x[:, : int(known[-1]) + 1].tolist()
        return {
            "series": [
                [float(f"{v:.6g}") if math.isfinite(v) else None for v in row] for row in rows
            ]
        }
    if not hasattr(modality, "reading"):
        return {}
    length = int(lengths(x[None].long())[0])
    return {"sound": wav(x[HEAD : HEAD + length], modality.reading.rate)} if length else {}


def wav(x: Tensor, rate: int) -> str:
    """`int16 [L]` as a WAV file in base64."""
    file = io.BytesIO()
    with wave.open(file, "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(rate)
        made.writeframes(x.numpy().astype("<i2").tobytes())
    return base64.b64encode(file.getvalue()).decode()


def png(x: Tensor) -> str:
    """`uint8 [C, H, W]` as a data URL."""
    pixels = x.permute(1, 2, 0).numpy()
    made = Pillow.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    file = io.BytesIO()
    made.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def course(x: Tensor) -> list[float | None]:
    """`[T]` in few points: of each stretch what is farthest from 0."""
    length = len(x)
    found: list[float | None] = []
    for part in torch.tensor_split(x.float(), min(POINTS, length)):
        far = part[part.isfinite()]
        found.append(float(far[far.abs().argmax()]) if len(far) else None)
    return found


def ink(x: Tensor) -> dict[str, Any]:
    """How things are drawn in pictures `uint8 [N, C, H, W]`: on what ground, how large, where.

    share: of the side that what is drawn takes up; dark: whether the ground is; centred: whether
    by its mass.
    """
    grey = x[:500].float().mean(dim=1)  # [N, H, W]
    edge = torch.cat([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], dim=1)
    dark = bool(edge.median() < 128)
    amount = grey if dark else 255 - grey
    sizes, offsets = [], []
    for one in amount.numpy():
        rows, columns = np.where(one > 64)
        if len(rows) == 0:
            continue
        side = max(one.shape)
        sizes.append(max(np.ptp(rows), np.ptp(columns)) / side + 1 / side)
        middle = (one * np.arange(len(one))[:, None]).sum() / one.sum()
        offsets.append(abs(middle - (len(one) - 1) / 2))
    if not sizes:
        return {"dark": dark, "share": 0.7, "centred": True}
    return {
        "dark": dark,
        "share": round(float(np.median(sizes)), 3),
        "centred": bool(np.median(offsets) < 1.0),
    }
