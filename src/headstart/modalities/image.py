"""Pictures: one `uint8` tensor `[N, C, H, W]`, normalised and augmented as whole batches."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from headstart.data import pictures
from headstart.data.dataset import Samples
from headstart.data.decoding import Decoding
from headstart.data.files import Files, Unreadable
from headstart.data.streamed import Reader, read_resident
from headstart.errors import UserError
from headstart.modalities.augment import Augmentation, AugmentConfig, choose
from headstart.modalities.augment.kinds import COARSE
from headstart.modalities.base import Strength
from headstart.modalities.gradients import oriented_gradients
from headstart.modalities.slant import upright
from headstart.settings import Settings, setting
from headstart.types import Spec

LOOKED_AT = 1_000  # pictures by which the kind of picture is told
LARGEST_DEFAULT = 64  # pixels a side; larger pictures are reduced unless `size` says otherwise
USUAL_SIZE = 224  # pixels a side, that most published networks look at


class ImageConfig(Settings):
    """How pictures become tensors."""

    size: int | None = setting(
        None, "side in pixels; by default the pictures' own, at most 64", least=1
    )
    channels: Literal[1, 3] | None = setting(None, "1 for grey, 3 for colour; by default as found")
    normalise: bool = setting(True, "subtract the mean of train, divide by its deviation")
    mean: tuple[float, ...] | None = setting(
        None, "of each channel, in 0..1; by default that of train", flag="", least=0, most=1
    )
    std: tuple[float, ...] | None = setting(
        None, "deviation of each channel; by default that of train", flag="", above=0
    )
    augment: AugmentConfig = setting(factory=AugmentConfig)


class Image:
    """See `base.Modality`."""

    default_backbone: ClassVar[str] = "conv"
    default_objective: ClassVar[str] = "autoencoder"
    Config: ClassVar[type[Settings]] = ImageConfig

    def __init__(
        self, size: tuple[int, int], mean: list[float], std: list[float], augment: Augmentation
    ) -> None:
        self.notes: list[str] = []
        self.size = size
        self.channels = len(mean)
        self.augmentation = augment
        # uint8 x → (x / 255 - mean) / std = x * scale + shift
        self._scale = torch.tensor([1 / (255 * s) for s in std]).view(-1, 1, 1)
        self._shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)]).view(-1, 1, 1)
        self.mean, self.std = mean, std

    @classmethod
    def fit(cls, train: Samples, config: ImageConfig) -> Image:
        """Learn size, channels, mean and deviation from train.

        Raises:
            UserError: no picture can be read.
        """
        found, size, channels = _size_and_channels(train, config)
        some = _some(train)
        augmentation = choose(config.augment, _readable(some, size, channels, LOOKED_AT))
        mean, std = [0.0] * channels, [1.0] * channels
        if config.normalise:
            mean, std = _given(config, channels) or _statistics(some, size, channels)
        fitted = cls(size, mean, std, augmentation)
        if config.size is None and (note := _lost(found, size)):
            fitted.notes.append(note)
        return fitted

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Image:
        """What `state()` described."""
        height, width = state["size"]
        augmentation = Augmentation.from_state(state["augment"])
        return cls((height, width), state["mean"], state["std"], augmentation)

    def augmented_by(self, augment: AugmentConfig, train: Samples) -> Image:
        """See `base.Augmentable`."""
        seen = _readable(_some(train), self.size, self.channels, LOOKED_AT)
        return Image(self.size, self.mean, self.std, choose(augment, seen))

    def state(self) -> dict[str, Any]:
        """Everything fitted, as JSON can hold it."""
        return {
            "modality": "image",
            "size": list(self.size),
            "mean": self.mean,
            "std": self.std,
            "augment": self.augmentation.state(),
        }

    @property
    def spec(self) -> Spec:
        """`(C, H, W)`, bounded by black and white."""
        low = min(-m / s for m, s in zip(self.mean, self.std, strict=True))
        high = max((1 - m) / s for m, s in zip(self.mean, self.std, strict=True))
        return Spec("continuous", (self.channels, *self.size), low=low, high=high)

    @property
    def decoding(self) -> Decoding:
        """See `base.Modality`."""
        return _decoding(self.size, self.channels)

    def tensor(self, samples: Samples, *, on_bad: str = "fail") -> tuple[Tensor, list[int]]:
        """`uint8 [N, C, H, W]`, and the rows that could not be read (all zero).

        Raises:
            UserError: a picture cannot be read and `on_bad` is "fail", or none can be.
        """
        return _read(samples, self.size, self.channels, on_bad)

    def prepare(self, x: Tensor) -> Tensor:
        """`uint8 [B, C, H, W]` → normalised float of the same shape."""
        if x.device != self._scale.device:
            self._scale, self._shift = self._scale.to(x.device), self._shift.to(x.device)
        return torch.addcmul(self._shift, x.float(), self._scale)

    def augment(self, x: Tensor, strength: Strength = "weak") -> Tensor:
        """Another picture of each thing, normalised, as `augmentation` makes it."""
        return self.prepare(self.augmentation(x.float() / 255, strength) * 255)

    def describe(self, x: Tensor) -> Tensor:
        """Histograms of oriented gradients: `uint8 [B, C, H, W]` → `[B, 648]`.

        Of writing, set half upright; in a few pixels a lean cannot be told from a form.
        """
        pictures = x.float() / 255
        if self.augmentation.kind == "digits" and min(self.size) >= COARSE:
            pictures = upright(pictures)
        return oriented_gradients(pictures)


def _some(train: Samples) -> Samples:
    """Statistics settle long before the whole of a large set is read."""
    return train.take(np.sort(np.random.default_rng(0).permutation(len(train))[:10_000]))


def _readable(train: Samples, size: tuple[int, int], channels: int, count: int) -> Tensor:
    """The readable ones of the first `count` pictures."""
    first = train.take(np.arange(min(count, len(train))))
    x, bad = _read(first, size, channels, "count")
    good = torch.ones(len(x), dtype=torch.bool)
    good[bad] = False
    return x[good]


def _given(config: ImageConfig, channels: int) -> tuple[list[float], list[float]] | None:
    """Mean and deviation that were made elsewhere.

    Raises:
        UserError: only one of them is there, or not one for each channel.
    """
    if config.mean is None and config.std is None:
        return None
    mean, std = list(config.mean or ()), list(config.std or ())
    if len(mean) != channels or len(std) != channels or min(std) <= 0:
        raise UserError(
            f"settings 'modality.mean' and 'modality.std' are {mean} and {std}: both must have a"
            f" number for each of {channels} channels, and deviations must be above 0."
        )
    return mean, std


def _statistics(
    train: Samples, size: tuple[int, int], channels: int
) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel: exact, from counts of the 256 values, in little memory.

    Raises:
        UserError: no picture can be read.
    """
    counts = torch.zeros(channels, 256, dtype=torch.long)
    for start in range(0, len(train), LOOKED_AT):
        part = train.take(np.arange(start, min(start + LOOKED_AT, len(train))))
        x = _readable(part, size, channels, LOOKED_AT)
        for channel, pixels in enumerate(x.transpose(0, 1)):  # [N, H, W]
            counts[channel] += torch.bincount(pixels.flatten(), minlength=256)
    total = counts.sum(dim=1)
    if int(total.min()) == 0:
        raise UserError("not one picture of the train split can be read.")
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = (counts * values).sum(dim=1) / total
    squares = (counts * (values - mean[:, None]) ** 2).sum(dim=1)
    std = (squares / (total - 1).clamp(min=1)).sqrt()
    return mean.tolist(), [max(s, 1e-3) for s in std.tolist()]


def _decoding(size: tuple[int, int], channels: int) -> Decoding:
    mode = "L" if channels == 1 else "RGB"
    options = {"mode": mode, "size": list(size)}
    return Decoding("headstart.data.pictures:decode", options, (channels, *size))


def _read(
    samples: Samples, size: tuple[int, int], channels: int, on_bad: str
) -> tuple[Tensor, list[int]]:
    if isinstance(samples.inputs, np.ndarray):
        return _from_array(samples.inputs, size, channels), []
    assert isinstance(samples.inputs, Files)
    with closing(Reader(samples.inputs, _decoding(size, channels))) as reader:
        x, bad = read_resident(samples.inputs, reader, on_bad)
    return x, list(bad)


def _from_array(array: np.ndarray[Any, Any], size: tuple[int, int], channels: int) -> Tensor:
    if array.dtype != np.uint8:
        array = _to_uint8(array)
    x = _channels_first(torch.from_numpy(np.ascontiguousarray(array)))
    if x.shape[1] == 4:  # no transparency in what a network sees
        x = x[:, :3]
    if x.shape[1] != channels:
        grey = x.float().mean(dim=1, keepdim=True).round().to(torch.uint8)
        x = grey.expand(-1, channels, -1, -1).contiguous()
    if tuple(x.shape[2:]) != size:
        resized = [
            torch.nn.functional.interpolate(part.float(), size, mode="bilinear", antialias=True)
            .round()
            .to(torch.uint8)
            for part in torch.split(x, 1024)
        ]
        x = torch.cat(resized)
    return x


def _size_and_channels(
    train: Samples, config: ImageConfig
) -> tuple[Counter[tuple[int, int]], tuple[int, int], int]:
    """How many pictures have each height and width, the size they are read at, and channels."""
    shapes: Counter[tuple[int, int]] = Counter()
    if isinstance(train.inputs, np.ndarray):
        height, width = (int(side) for side in train.inputs.shape[1:3])
        shapes[height, width] = len(train.inputs)
        found = 1 if train.inputs.ndim == 3 or train.inputs.shape[3] == 1 else 3
    else:
        assert isinstance(train.inputs, Files)
        colour = False
        some = np.random.default_rng(0).permutation(len(train.inputs))[:500]
        for i in some:
            try:
                w, h, mode = pictures.probe(train.inputs[int(i)])
            except Unreadable:
                continue
            shapes[h, w] += 1
            colour = colour or mode not in ("1", "L", "I", "F", "I;16", "LA", "La")
        if not shapes:
            raise UserError("not one picture of the train split can be read.")
        (height, width), _ = shapes.most_common(1)[0]
        if len(shapes) > 1:
            height = width = min(height, width)
        found = 3 if colour else 1
    if config.size is not None:
        height = width = config.size
    elif max(height, width) > LARGEST_DEFAULT:
        factor = LARGEST_DEFAULT / max(height, width)
        height, width = max(1, round(height * factor)), max(1, round(width * factor))
    return shapes, (height, width), config.channels or found


def _lost(shapes: Counter[tuple[int, int]], size: tuple[int, int]) -> str | None:
    """What is lost of pictures of these heights and widths at this size; None: nothing is."""
    if set(shapes) == {size}:
        return None
    (height, width), count = shapes.most_common(1)[0]
    (read_height, read_width), share = size, count / shapes.total()
    often = "most pictures" if share > 0.5 else "pictures are of many sizes, the most frequent"
    squeezed = ", all squeezed to it" if len(shapes) > 1 else ""
    note = (
        f"{often if len(shapes) > 1 else 'pictures'} {'is' if share <= 0.5 else 'are'}"
        f" {width}x{height}; read at {read_width}x{read_height}{squeezed}"
    )
    more = min(USUAL_SIZE, max(height, width))
    times = more**2 / (read_height * read_width)
    if more > max(size) and times >= 1.5:
        note += f"; --size {more} keeps more, and is about {times:.0f} times slower"
    return note


def _to_uint8(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Numbers in 0..1, or 0..255, as bytes.

    Raises:
        UserError: values lie outside both ranges.
    """
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 255:
        raise UserError(
            f"pictures given as numbers must lie in 0..1 or 0..255; these lie in {low:g}..{high:g}."
        )
    factor = 255.0 if high <= 1.0 and array.dtype.kind == "f" else 1.0
    return np.round(array * factor).astype(np.uint8)


def _channels_first(x: Tensor) -> Tensor:
    """`[N, H, W]` or `[N, H, W, C]` → `[N, C, H, W]`."""
    return x.unsqueeze(1) if x.ndim == 3 else x.permute(0, 3, 1, 2).contiguous()
