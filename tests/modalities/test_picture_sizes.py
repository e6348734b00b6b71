"""What is lost of pictures that are reduced or squeezed is said, and how to keep more."""

import numpy as np
import pytest
from PIL import Image as Pillow

from headstart.cli.parser import build_parser
from headstart.cli.train import config_from
from headstart.data.dataset import Samples
from headstart.data.files import of_paths
from headstart.modalities.image import Image, ImageConfig
from headstart.workflows.config import PretrainConfig
from samples import config_of


def told(inputs, **settings):
    return Image.fit(Samples(inputs), config_of(ImageConfig, **settings)).notes


@pytest.fixture
def files(tmp_path):
    def of(sizes):
        paths = [tmp_path / f"{i}.png" for i in range(len(sizes))]
        for path, size in zip(paths, sizes, strict=True):
            Pillow.new("L", size, 100).save(path)
        return of_paths(paths, "")

    return of


def test_pictures_that_are_read_as_they_are_need_no_word(files):
    assert told(np.zeros((4, 64, 48), np.uint8)) == []
    assert told(files([(30, 20)] * 3)) == []


def test_reduced_ones_do():
    assert told(np.zeros((4, 100, 80), np.uint8)) == [
        "pictures are 80x100; read at 51x64; --size 100 keeps more, and is about 3 times slower"
    ]
    assert told(np.zeros((4, 100, 80), np.uint8), size=100) == []


def test_squeezed_ones_do(files):
    assert told(files([(640, 480)] * 3 + [(500, 500)])) == [
        "most pictures are 640x480; read at 64x64, all squeezed to it; --size 224 keeps more, and"
        " is about 12 times slower"
    ]
    many = told(files([(40, 30), (40, 30), (20, 31), (30, 32), (30, 33)]))
    assert "of many sizes, the most frequent is 40x30; read at 30x30, all squeezed" in many[0]


def test_size_is_a_flag():
    asked = build_parser().parse_args(["pretrain", "photos", "--out", "run", "--size", "224"])
    assert config_from(PretrainConfig, asked, objective=None).modality == {"size": 224}
