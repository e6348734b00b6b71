"""New samples as a picture, while a generative objective learns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from headstart.errors import UserError
from headstart.modalities.base import Drawn, Modality
from headstart.parts.learner import Learner
from headstart.runs.atomic import write_with
from headstart.runs.folder import RunFolder
from headstart.training.watching import Watcher

if TYPE_CHECKING:
    from headstart.training.engine import Engine

COLUMNS = 8


class Sheets(Watcher):
    """Writes 64 new samples to `RUN/samples/step-NNNNNN.png` at each validation."""

    def __init__(self, modality: Modality, folder: RunFolder) -> None:
        self._modality = modality
        self._folder = folder
        self._engine: Engine | None = None

    def on_start(self, engine: Engine) -> None:
        """Remember whose steps are counted."""
        self._engine = engine

    def on_validate(self, learner: Learner, figures: dict[str, float]) -> dict[str, float]:  # noqa: ARG002 - the face
        """Draw a sheet; no figures."""
        if self._engine is not None and self._modality.spec.is_image:
            save_sheet(learner, self._modality, self._folder, self._engine.at.step)
        return {}


@torch.no_grad()
def save_sheet(learner: Learner, modality: Modality, folder: RunFolder, step: int) -> None:
    """Write a sheet; nothing where the learner makes no samples.

    Raises:
        UserError: the folder cannot be written.
    """
    made = learner.sample(COLUMNS**2)
    if made is None:
        return
    from PIL import Image

    sheet = tiled(brightness(modality, made), COLUMNS)  # [C, H, W]
    pixels = (255 * sheet).round().byte().permute(1, 2, 0).numpy()
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    try:
        folder.samples.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write in {folder.samples}: {error.strerror or error}.") from error
    path = folder.samples / f"step-{step:06}.png"
    write_with(path, lambda temporary: picture.save(temporary, format="png"))


def brightness(modality: Modality, x: Tensor) -> Tensor:
    """What the network sees → brightness in 0..1, `[B, C, H, W]`."""
    if isinstance(modality, Drawn):
        return modality.brightness(x)
    state: dict[str, Any] = modality.state()
    mean = torch.tensor(state["mean"]).view(-1, 1, 1)
    std = torch.tensor(state["std"]).view(-1, 1, 1)
    return (x.float().cpu() * std + mean).clamp(0, 1)


def tiled(x: Tensor, columns: int) -> Tensor:
    """Pictures `[B, C, H, W]` → one of them all, row by row, `[C, rows·H, columns·W]`."""
    b, c, height, width = x.shape
    rows = math.ceil(b / columns)
    full = torch.cat([x, x.new_zeros(rows * columns - b, c, height, width)])
    full = full.view(rows, columns, c, height, width).permute(2, 0, 3, 1, 4)
    return full.reshape(c, rows * height, columns * width)
