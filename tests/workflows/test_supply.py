import os
import signal

import numpy as np
import pytest
from PIL import Image as Pillow

from headstart.errors import InterruptedRunError, UserError
from headstart.runs.folder import RunFolder
from headstart.workflows.config import PretrainConfig
from headstart.workflows.pretrain import pretrain
from headstart.workflows.request import config_of

COUNT = 300


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        place = root / "train" / f"c{i % 3}"
        place.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(place / f"{i}.png")
    (root / "test").mkdir()
    Pillow.new("RGB", (12, 12)).save(root / "test" / "0.png")
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))


def train(photos, out, *, resume=False, display=None, said=None, **data):
    raw = {
        "data": {"path": str(photos), **data},
        "backbone": {"name": "mlp", "widths": [16, 4]},
        "training": {"duration": "25 steps", "batch_size": 32, "checkpoint_every": "5 steps"},
    }
    config = config_of(PretrainConfig, raw)
    with RunFolder.create(out, resume=resume, overwrite=False) as folder:
        say = (said if said is not None else []).append
        return pretrain(config, folder, resume=resume, display=display, say=say)


def bits(out):
    return (out / "model.safetensors").read_bytes()


class Stop:
    def update(self, progress, text):
        if progress > 0.4:
            os.kill(os.getpid(), signal.SIGTERM)


def test_streamed_interrupted_and_resumed_otherwise_ends_in_the_bits_of_memory(photos, tmp_path):
    said = []
    train(photos, tmp_path / "whole", said=said)
    assert any("held in memory" in line for line in said)
    with pytest.raises(InterruptedRunError):
        train(photos, tmp_path / "cut", display=Stop(), max_memory="60kB", workers=0, said=said)
    assert any("streamed" in line for line in said)
    train(photos, tmp_path / "cut", resume=True, max_memory="70kB", workers=2)
    assert bits(tmp_path / "whole") == bits(tmp_path / "cut")


def test_damaged_samples_change_nothing_else_and_are_counted(photos, tmp_path):
    files = sorted((photos / "train").rglob("*.png"))
    chosen = [files[3], files[150], files[151]]
    kept = [file.read_bytes() for file in chosen]
    try:
        for file in chosen:
            file.write_bytes(b"")
        with pytest.raises(UserError, match=r"the file is empty"):
            train(photos, tmp_path / "fails", max_memory="60kB")
        one = train(photos, tmp_path / "one", on_bad="skip")
        other = train(photos, tmp_path / "other", on_bad="skip", max_memory="60kB")
    finally:
        for file, data in zip(chosen, kept, strict=True):
            file.write_bytes(data)
    names = sorted(name for part in one["skipped"].values() for name in part)
    assert names == sorted(str(file.relative_to(photos)) for file in chosen)
    assert one["skipped"] == other["skipped"]
    assert bits(tmp_path / "one") == bits(tmp_path / "other")


@pytest.mark.parametrize(
    ("path", "limit", "message"),
    [
        (None, "1kB", "too little to stream"),
        ("digits", "10kB", "come as arrays"),
        (None, "10 parsecs", "a number and a unit"),
    ],
)
def test_what_cannot_be_done_in_so_little_is_refused(photos, tmp_path, path, limit, message):
    with pytest.raises(UserError, match=message):
        train(path or photos, tmp_path / "r", max_memory=limit)
    assert not (tmp_path / "r" / "config.yaml").exists()
