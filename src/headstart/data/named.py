"""Data sets by name: bundled with scikit-learn, found on disk, or downloaded with a checksum."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from headstart.data.dataset import Dataset, Samples
from headstart.data.download import fetch
from headstart.data.idx import is_idx_folder, read_idx_folder
from headstart.errors import UserError

# Where Linux distributions put data sets: Debian's dataset-fashion-mnist, for one.
SYSTEM_FOLDERS = (Path("/usr/share/datasets"), Path("/usr/local/share/datasets"))


@dataclass(frozen=True)
class Published:
    """A data set in MNIST's layout: what torchvision calls it, mirrors, MD5 of each file."""

    torchvision: str
    mirrors: tuple[str, ...]
    md5: dict[str, str]


PUBLISHED = {
    "mnist": Published(
        "MNIST",
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        {
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "fashion-mnist": Published(
        "FashionMNIST",
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        {
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
}
SHAPES = {"train": (60_000, 28, 28), "test": (10_000, 28, 28)}


def read_named(name: str) -> Dataset:
    """The data set called `name`, one of `named_table.NAMED`.

    Raises:
        UserError: it is neither on disk nor to be downloaded, or its files are not what they say.
    """
    return _digits() if name == "digits" else _published(name)


def _digits() -> Dataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)  # [1797, 8, 8], from 0..16
    return Dataset("digits", "image", {"train": Samples(images, bunch.target.astype(np.int64))})


def _published(name: str) -> Dataset:
    places = folders(name)
    folder = next((place for place in places if _complete(place, name)), None)
    downloaded = folder is None
    if folder is None:
        folder = _download(name, places)
    dataset = read_idx_folder(folder)
    found = {split: samples.inputs for split, samples in dataset.splits.items()}
    shapes = {s: x.shape for s, x in found.items() if isinstance(x, np.ndarray)}
    if shapes != SHAPES:
        raise UserError(
            f"the files in {folder} are not {name}: their shapes are {shapes}, not {SHAPES}.",
            "Remove them, or name the folder itself if you mean it.",
        )
    notes = [f"{name} was {'downloaded to' if downloaded else 'found in'} {folder}"]
    return replace(dataset, source=name, notes=notes)


def cache(name: str) -> Path:
    """The folder that downloads go to."""
    import pooch

    chosen = os.environ.get("HEADSTART_DATA")
    return (Path(chosen) if chosen else Path(pooch.os_cache("headstart"))) / name


def folders(name: str) -> list[Path]:
    """Where a published data set is looked for, in order."""
    import pooch

    raw = Path(PUBLISHED[name].torchvision) / "raw"  # as torchvision lays it out
    return [
        cache(name),
        Path(pooch.os_cache("headstart")) / name,
        *(folder / name for folder in SYSTEM_FOLDERS),
        Path.home() / ".cache" / name,
        Path("data") / raw,
        raw,
    ]


def _complete(folder: Path, name: str) -> bool:
    """Whether each of the four files is there, gzipped or not."""
    return is_idx_folder(folder) and all(
        (folder / file).is_file() or (folder / file.removesuffix(".gz")).is_file()
        for file in PUBLISHED[name].md5
    )


def _download(name: str, places: list[Path]) -> Path:
    folder = cache(name)
    published = PUBLISHED[name]
    try:
        for file, md5 in published.md5.items():
            fetch(file, published.mirrors, md5, folder)
    except UserError as error:
        raise UserError(
            f"{name} is not on this machine, and {error.message}",
            *error.hints,
            f"Looked in {', '.join(str(p) for p in dict.fromkeys(places))}.",
            f"Put {', '.join(published.md5)} in {folder} by hand.",
        ) from error
    return folder
