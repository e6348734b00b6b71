"""Encoded pictures to `uint8` arrays, with Pillow; what cannot be read is `Unreadable`."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from headstart.data.files import Item, Unreadable
from headstart.data.memory import processors

Pixels = NDArray[np.uint8]
CHANNELS = {"L": 1, "RGB": 3}
_ORIENTATION = 0x0112
_CHUNK = 32  # pictures a task: few enough to share out evenly, many enough to hide the overhead


def decode(item: Item, *, mode: str, size: Sequence[int]) -> Pixels:
    """One picture, upright and resized to (H, W): `[C, H, W]`, one channel for mode "L".

    Transparency lies on white; of 16 bits the upper 8 count; of an animation the first frame.

    Raises:
        Unreadable: no picture, truncated, empty, or so large that it may be a decompression bomb.
    """
    height, width = size
    with _quiet():
        pixels = _decode(item, mode, (height, width))
    return pixels[None] if mode == "L" else np.ascontiguousarray(np.moveaxis(pixels, 2, 0))


def probe(item: Item) -> tuple[int, int, str]:
    """Width and height as displayed, and the file's own mode; no pixels are decoded.

    Raises:
        Unreadable: not a picture, empty, or too large.
    """
    with _quiet(), _opened(item) as image:
        width, height = image.size
        # For PNG the tag may stand behind the pixels; there it is rare enough to go unread.
        if image.format in ("JPEG", "MPO", "TIFF", "WEBP"):
            turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
            if turned:
                width, height = height, width
        return width, height, image.mode


def read_all(
    items: Sequence[Item], mode: str, size: tuple[int, int], workers: int | None = None
) -> tuple[Pixels, dict[int, str]]:
    """All pictures, resized to (H, W): `[N, H, W]` for mode "L", else `[N, H, W, C]`.

    workers: threads; by default as many as the processors this process may use.

    Returns: the pixels, and why rows could not be read, by their number; they are zero.
    """
    channels = CHANNELS[mode]
    shape = (len(items), *size) if channels == 1 else (len(items), *size, channels)
    out = np.zeros(shape, dtype=np.uint8)
    bad: dict[int, str] = {}

    def fill(start: int) -> None:
        for i in range(start, min(start + _CHUNK, len(items))):
            try:
                out[i] = _decode(items[i], mode, size)
            except Unreadable as error:
                bad[i] = error.reason

    with _quiet(), ThreadPoolExecutor(workers or processors()) as pool:
        for _ in pool.map(fill, range(0, len(items), _CHUNK)):
            pass
    return out, dict(sorted(bad.items()))


@contextmanager
def _opened(item: Item) -> Iterator[Image.Image]:
    """An image whose header makes sense; whatever goes wrong inside is Unreadable."""
    try:
        with Image.open(item if isinstance(item, Path) else BytesIO(item.read())) as image:
            width, height = image.size
            if width < 1 or height < 1:
                raise Unreadable(item, f"its size is {width}×{height}")
            most = Image.MAX_IMAGE_PIXELS
            if most is not None and width * height > most:
                raise Unreadable(item, f"{width}×{height} pixels: too large, perhaps a bomb")
            yield image
    except Unreadable:
        raise
    # Pillow's decoders raise nearly anything on damaged files: OSError, SyntaxError, struct.error,
    # ValueError, TypeError, KeyError ... All of them mean the same, and none is dropped.
    except Exception as error:
        raise Unreadable(item, _reason(error, item)) from error


def _reason(error: Exception, item: Item) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, UnidentifiedImageError):
        try:
            size = item.stat().st_size if isinstance(item, Path) else item.size
        except OSError:
            size = 1
        return "no known picture format" if size else "the file is empty"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__


def _decode(item: Item, mode: str, size: tuple[int, int]) -> Pixels:
    """`[H, W]` for mode "L", else `[H, W, C]`."""
    with _opened(item) as image:
        # JPEG can be decoded at a fraction of its size; twice the target loses nothing seen.
        side = 2 * max(size)
        image.draft(None, (side, side))
        upright = ImageOps.exif_transpose(image)
        picture = _convert(upright, mode)
        if picture.size != (size[1], size[0]):
            picture = picture.resize(
                (size[1], size[0]), Image.Resampling.BILINEAR, reducing_gap=2.0
            )
        pixels: Pixels = np.array(picture, dtype=np.uint8)  # a copy, so that it may be written to
        return pixels


def _convert(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == mode:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bits(np.asarray(image))).convert(mode)
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    if transparent:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert(mode)
    return image.convert(mode)


def _to_8_bits(array: NDArray[Any]) -> Pixels:
    """Integers count as 16 bits, as PNG and PGM have them; floats lie in 0..1 or 0..255."""
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ValueError("some of its values are not finite")
        scaled = array * 255 if array.max() <= 1 else array
        bytes_: Pixels = np.clip(np.round(scaled), 0, 255).astype(np.uint8)
    else:
        bytes_ = np.clip(array.astype(np.int64) >> 8, 0, 255).astype(np.uint8)
    return bytes_


_lock = threading.Lock()
_silent = 0
_saved: list[warnings.catch_warnings[None]] = []


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of Pillow's meanwhile: what matters of them is raised as Unreadable.

    Filters belong to the process, and `catch_warnings` in several threads would restore them in
    the wrong order: the first to enter changes them, the last to leave puts them back.
    """
    global _silent  # noqa: PLW0603 - a count shared by threads, under a lock
    with _lock:
        if _silent == 0:
            catcher = warnings.catch_warnings()
            catcher.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
            _saved.append(catcher)
        _silent += 1
    try:
        yield
    finally:
        with _lock:
            _silent -= 1
            if _silent == 0:
                _saved.pop().__exit__(None, None, None)
