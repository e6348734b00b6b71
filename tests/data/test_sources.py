import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headstart.data import audit, budget
from headstart.data.dataset import Samples
from headstart.data.sources import open_dataset
from headstart.data.splits import ensure_test
from headstart.errors import UserError

RNG = np.random.default_rng(0)


def picture(path, seed=None, size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def idx(path, array):
    head = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    with gzip.open(path, "wb") as file:
        file.write(head + array.tobytes())


@pytest.fixture
def folder(tmp_path):
    for split, count in (("train", 6), ("test", 3)):
        for name in ("cat", "dog"):
            for i in range(count):
                picture(tmp_path / split / name / f"{i}.png", hash((split, name, i)) % 2**31)
    return tmp_path


def test_mnist_is_what_was_published(shared_data):
    dataset = open_dataset(str(shared_data / "mnist"))
    assert {n: len(s) for n, s in dataset.splits.items()} == {"train": 60_000, "test": 10_000}
    assert dataset.train.inputs.shape == (60_000, 28, 28)
    assert dataset.train.targets[:5].tolist() == [5, 0, 4, 1, 9]


def test_image_folder(folder):
    dataset = open_dataset(str(folder))
    assert len(dataset.train) == 12
    assert set(dataset.splits["test"].targets) == {"cat", "dog"}


def test_idx_with_too_few_labels_is_refused(tmp_path):
    idx(tmp_path / "train-images-idx3-ubyte.gz", np.zeros((5, 4, 4), np.uint8))
    idx(tmp_path / "train-labels-idx1-ubyte.gz", np.zeros(4, np.uint8))
    with pytest.raises(UserError, match="labels"):
        open_dataset(str(tmp_path))


def test_npz_with_and_without_targets(tmp_path):
    np.savez(tmp_path / "a.npz", x=RNG.normal(size=(9, 3)), y=np.arange(9))
    dataset = open_dataset(str(tmp_path / "a.npz"))
    assert dataset.kind == "table"
    assert dataset.train.has_label.all()
    np.savez(tmp_path / "b.npz", x=RNG.normal(size=(9, 3)))
    assert not open_dataset(str(tmp_path / "b.npz")).train.has_label.any()


@pytest.mark.parametrize(
    ("source", "message"),
    [("digit", "Did you mean digits"), ("nowhere/at/all", "no file or folder"), ("", "no data")],
)
def test_what_is_not_there_is_said(source, message):
    with pytest.raises(UserError, match=message):
        open_dataset(source)


def test_values_that_are_not_numbers_are_refused(tmp_path):
    x = np.ones((4, 2))
    x[2, 1] = np.nan
    np.savez(tmp_path / "a.npz", x=x)
    with pytest.raises(UserError, match="2"):
        open_dataset(str(tmp_path / "a.npz"))


@settings(max_examples=25)
@given(st.integers(1, 30), st.integers(0, 10**6))
def test_budgets_are_balanced_seeded_and_hold_their_validation(per_class, seed):
    samples = Samples(np.zeros((120, 2)), np.arange(120) % 3)
    chosen = budget.choose(
        samples, classes=True, labels=None, per_class=per_class, seed=seed, share=None
    )
    both = np.concatenate([chosen.train, chosen.validation])
    assert len(set(both.tolist())) == len(both) == 3 * per_class
    assert np.bincount(samples.targets[both]).tolist() == [per_class] * 3
    again = budget.choose(
        samples, classes=True, labels=None, per_class=per_class, seed=seed, share=None
    )
    assert np.array_equal(again.train, chosen.train)


def test_made_splits_are_stratified_and_seeded():
    dataset = open_dataset("digits")
    one, other = (ensure_test(dataset, 3).splits["test"] for _ in range(2))
    assert np.array_equal(one.inputs, other.inputs)
    counts = np.bincount(one.targets)
    assert counts.max() - counts.min() <= 2


def test_audit_finds_what_was_planted(folder):
    same = (folder / "train" / "cat" / "0.png").read_bytes()
    (folder / "train" / "dog" / "copy.png").write_bytes(same)
    (folder / "test" / "cat" / "leak.png").write_bytes(same)
    brighter = Image.open(folder / "train" / "dog" / "1.png").point(lambda v: v * 0.9 + 8)
    brighter.save(folder / "train" / "dog" / "near.png")
    (folder / "train" / "dog" / "broken.png").write_bytes(same[:60])
    found = audit.audit(open_dataset(str(folder)))
    assert [bad["name"].endswith("broken.png") for bad in found["splits"]["train"]["bad"]] == [True]
    duplicates = found["duplicates"]
    assert duplicates["exact"]["count"] == 1
    assert duplicates["conflicts"]["count"] == 2  # the copy, and the leak of the copy
    assert duplicates["near"]["count"] == 1
    assert duplicates["leaks"]["samples"] == 1
    assert "leak.png" in str(duplicates["leaks"]["examples"])
    text = audit.text(found)
    assert "broken.png" in text
    assert "flatter" in text


def test_audit_of_noise_finds_nothing(folder):
    found = audit.audit(open_dataset(str(folder)))
    assert found["advice"] == []
    assert all(part["count"] == 0 for part in found["duplicates"].values())
