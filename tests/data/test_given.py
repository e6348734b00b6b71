"""What programs hold in memory goes in wherever a path does."""

import numpy as np
import pytest
import torch

import headstart as hs
from headstart.data import given
from headstart.errors import UserError
from texts import sentences

SMALL = {"backbone": {"name": "transformer", "width": 32, "depth": 1}, "steps": 2, "batch_size": 16}


def texts():
    rows = sentences()[:90]
    return {"text": rows, "kind": ["path" if "path" in t.lower() else "other" for t in rows]}


@pytest.fixture
def pictures():
    datasets = pytest.importorskip("datasets")
    from PIL import Image
    from sklearn.datasets import load_digits

    bunch = load_digits()
    shown = [Image.fromarray((16 * x).astype(np.uint8)) for x in bunch.images[:120]]
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=[f"n{i}" for i in range(10)]),
        }
    )
    rows = {"image": shown, "label": bunch.target[:120].tolist()}
    return datasets.Dataset.from_dict(rows, features=features)


def test_a_frame_of_texts(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(texts())
    options = {"text_column": "text", "target": "kind"}
    encoder = hs.pretrain(frame, out=tmp_path / "encoder", **options, **SMALL)
    assert encoder.result["data"] == "a DataFrame in memory"
    run = hs.finetune(frame, start=encoder, steps=2, out=tmp_path / "run", **options)
    assert set(run.predict(frame[["text"]])["label"]) <= {"path", "other"}
    assert run.embed(frame).shape == (90, 32)
    assert run.evaluate(frame)["n"] == run.result["test"]["n"] == 18  # cut as it was
    with pytest.warns(UserWarning, match="100% of the training samples"):
        assert run.evaluate(frame, split="train")["n"] == 72
    with pytest.raises(UserError, match="which is not there any more"):
        run.evaluate()


@pytest.mark.parametrize("named", ["file", "path"])
@pytest.mark.parametrize("told", [["file_column"], []])
def test_a_frame_that_lists_pictures(tmp_path, pictures, monkeypatch, named, told):
    pandas = pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    for i in range(40):
        pictures[i]["image"].save(f"{i}.png")
    frame = pandas.DataFrame(
        {named: [f"{i}.png" for i in range(40)], "odd": [i % 2 for i in range(40)]}
    )
    told = dict.fromkeys(told, named)
    run = hs.finetune(frame, target="odd", steps=1, out="run", **told)
    assert run.result["labels"] == 32
    assert len(run.predict(frame)["label"]) == 40


def test_a_hugging_face_data_set_of_pictures(tmp_path, pictures):
    encoder = hs.pretrain(pictures, steps=2, out=tmp_path / "encoder")
    run = hs.finetune(pictures, start=encoder, target="label", steps=2, out=tmp_path / "run")
    assert run.result["data"] == "a Dataset in memory"
    said = run.predict(pictures.select(range(7)))
    assert len(said["label"]) == 7
    assert set(said["label"]) <= {f"n{i}" for i in range(10)}


def test_a_hugging_face_data_set_of_texts_in_splits(tmp_path):
    datasets = pytest.importorskip("datasets")
    whole = datasets.Dataset.from_dict(texts()).class_encode_column("kind")
    parts = datasets.DatasetDict(
        {"train": whole.select(range(60)), "test": whole.select(range(60, 90))}
    )
    run = hs.finetune(parts, text_column="text", target="kind", out=tmp_path / "run", **SMALL)
    assert run.result["test"]["n"] == 30
    assert run.evaluate(parts)["n"] == 30
    assert set(run.predict(parts)["label"]) <= {"path", "other"}


def test_without_a_train_split_it_is_refused(tmp_path):
    datasets = pytest.importorskip("datasets")
    parts = datasets.DatasetDict({"test": datasets.Dataset.from_dict(texts())})
    with pytest.raises(UserError, match="has the splits test, none called train"):
        hs.finetune(parts, text_column="text", target="kind", out=tmp_path / "run", **SMALL)
    assert not (tmp_path / "run").exists()


def test_what_is_no_data_is_not_taken_for_it():
    assert not given.is_given("photos/")
    assert not given.is_given(np.zeros((2, 2)))
    assert not given.is_given(torch.zeros(2, 2))


def test_a_column_of_texts_may_be_called_as_files_are(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {"path": ["good film " * 40, "bad film " * 40] * 10, "file": ["yes", "no"] * 10}
    )
    run = hs.finetune(frame, text_column="path", target="file", out=tmp_path / "run", **SMALL)
    assert set(run.predict(frame)["label"]) <= {"yes", "no"}
    assert run.evaluate(frame.assign(split="test"))["n"] == 20
