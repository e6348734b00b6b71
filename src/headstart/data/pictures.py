"""Picture files to `uint8` arrays, with Pillow; what cannot be read is a `BadPicture`."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Pixels = NDArray[np.uint8]
CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
_ORIENTATION = 0x0112
_CHUNK = 32  # pictures a task: few enough to share out evenly, many enough to hide the overhead


class BadPicture(Exception):  # noqa: N818 - it says what the file is
    """A file that is not a readable picture.

    path: the file. reason: why, without the path.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is not a readable picture ({reason})")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[BadPicture], tuple[Path, str]]:
        return type(self), (self.path, self.reason)


def read_picture(path: Path, mode: str) -> Pixels:
    """One picture, upright: `[H, W]` for mode "L", `[H, W, C]` for "RGB" and "RGBA".

    Transparency lies on white unless the mode keeps it; of 16 bits the upper 8 count; of an
    animation the first frame.

    Raises:
        BadPicture: unreadable, truncated, empty, or so large that it may be a decompression bomb.
    """
    with _quiet():
        return _decode(path, mode, None)


def probe(path: Path) -> tuple[int, int, str]:
    """Width and height as displayed, and the file's own mode; no pixels are decoded.

    Raises:
        BadPicture: not a picture, empty, or too large.
    """
    with _quiet(), _opened(path) as image:
        width, height = image.size
        # For PNG the tag may stand behind the pixels; there it is rare enough to go unread.
        if image.format in ("JPEG", "MPO", "TIFF", "WEBP"):
            turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
            if turned:
                width, height = height, width
        return width, height, image.mode


def read_all(
    paths: Sequence[Path],
    mode: str,
    size: tuple[int, int] | None = None,
    workers: int | None = None,
) -> tuple[Pixels, list[BadPicture]]:
    """All pictures, resized: `[N, H, W]` for mode "L", else `[N, H, W, C]`.

    size: (H, W); None takes that of the first readable picture, and others are bad.
    workers: threads; by default as many as the processors this process may use.

    Returns: the pixels, and those that could not be read, in order; their rows are zero.
    """
    fixed = size or _first_size(paths)
    channels = CHANNELS[mode]
    shape = (len(paths), *fixed) if channels == 1 else (len(paths), *fixed, channels)
    out = np.zeros(shape, dtype=np.uint8)
    bad: dict[int, BadPicture] = {}

    def fill(start: int) -> None:
        for i in range(start, min(start + _CHUNK, len(paths))):
            try:
                picture = _decode(paths[i], mode, size)
                if picture.shape[:2] != fixed:
                    found, wanted = _times(picture.shape), _times(fixed)
                    raise BadPicture(paths[i], f"its size is {found}; the first has {wanted}")
                out[i] = picture
            except BadPicture as error:
                bad[i] = BadPicture(error.path, error.reason)  # a traceback would keep the pixels

    with _quiet(), ThreadPoolExecutor(workers or _processors()) as pool:
        for _ in pool.map(fill, range(0, len(paths), _CHUNK)):
            pass
    return out, [bad[i] for i in sorted(bad)]


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _times(shape: Sequence[int]) -> str:
    return f"{shape[1]}×{shape[0]}"


def _first_size(paths: Sequence[Path]) -> tuple[int, int]:
    for path in paths:
        try:
            height, width = read_picture(path, "L").shape
            return height, width
        except BadPicture:
            continue
    return 1, 1


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image whose header makes sense; whatever goes wrong inside is a BadPicture."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            if width < 1 or height < 1:
                raise BadPicture(path, f"its size is {width}×{height}")
            most = Image.MAX_IMAGE_PIXELS
            if most is not None and width * height > most:
                raise BadPicture(path, f"{width}×{height} pixels: too large, perhaps a bomb")
            yield image
    except BadPicture:
        raise
    # Pillow's decoders raise nearly anything on damaged files: OSError, SyntaxError, struct.error,
    # ValueError, TypeError, KeyError ... All of them mean the same, and none is dropped.
    except Exception as error:
        raise BadPicture(path, _reason(error, path)) from error


def _reason(error: Exception, path: Path) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, UnidentifiedImageError):
        try:
            empty = path.stat().st_size == 0
        except OSError:
            empty = False
        return "the file is empty" if empty else "no known picture format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__


def _decode(path: Path, mode: str, size: tuple[int, int] | None) -> Pixels:
    with _opened(path) as image:
        if size is not None:
            # JPEG can be decoded at a fraction of its size; twice the target loses nothing seen.
            side = 2 * max(size)
            image.draft(None, (side, side))
        upright = ImageOps.exif_transpose(image)
        picture = _convert(upright, mode)
        if size is not None and picture.size != (size[1], size[0]):
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
    if transparent and mode != "RGBA":
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
    """No warnings of Pillow's meanwhile: what matters of them is raised as BadPicture.

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
