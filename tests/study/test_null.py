"""A planted null: pre-training on noise must not be said to help."""

import numpy as np
import pytest

import headstart as hs
from headstart.data.sources import open_dataset
from headstart.data.splits import ensure_test


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["noise", "shuffled"])
def test_noise_and_shuffled_pictures_do_not_help(kind, tmp_path):
    pictures = np.asarray(ensure_test(open_dataset("digits"), 0).train.inputs)
    rng = np.random.default_rng(0)
    if kind == "noise":
        planted = rng.integers(0, 256, size=pictures.shape, dtype=np.uint8)
    else:  # the pixels of each picture in an order of its own
        planted = rng.permuted(pictures.reshape(len(pictures), -1), axis=1).reshape(pictures.shape)
    np.savez(tmp_path / "planted.npz", x=planted)
    (tmp_path / "settings.yaml").write_text("modality:\n  augment:\n    kind: digits\n")
    start = hs.pretrain(
        tmp_path / "planted.npz", objective="vicreg", steps=200, out=tmp_path / kind,
        config=tmp_path / "settings.yaml",
    )  # fmt: skip
    found = hs.compare(
        "digits", out=tmp_path / "study", labels=[20, 100], seeds=4, start=start, steps=60,
        baselines=[],
    )  # fmt: skip
    assert not found.result["verdict"]["helps"]
    assert "does not help here" in found.verdict
