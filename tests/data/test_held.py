"""Arrays, tensors, texts and files by name go in wherever a path does."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

import headstart as hs
from headstart.data import held
from headstart.data.frames import is_frame
from headstart.errors import UserError
from waves import waves

SMALL = {"backbone": {"name": "mlp", "widths": [16]}, "steps": 2, "batch_size": 16}


@pytest.fixture(scope="module")
def digits():
    bunch = load_digits()
    return (bunch.images[:120] * 15.9).astype(np.uint8), bunch.target[:120]


@pytest.fixture(scope="module")
def encoder(digits, tmp_path_factory):
    return hs.pretrain(digits[0], out=tmp_path_factory.mktemp("held") / "encoder", **SMALL)


class Columns:
    """What polars and others are to a program that knows neither: a stream of Arrow's."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


def test_an_array_is_learned_from_and_named_in_the_run(encoder, digits):
    assert encoder.result["data"] == "an array in memory"
    assert encoder.config["modality"]["name"] == "image"
    assert np.array_equal(encoder.embed(digits[0][:3]), encoder.embed(torch.tensor(digits[0][:3])))


def test_a_pair_of_tensors_of_which_some_have_no_label(tmp_path, digits, encoder):
    x, y = torch.from_numpy(digits[0]), torch.from_numpy(digits[1].copy())
    y[::3] = -1  # 40 of 120
    run = hs.finetune((x, y), start=encoder, steps=2, out=tmp_path / "run")
    assert run.result["labels"] + run.result["test"]["n"] == 80
    with pytest.warns(UserWarning, match="of the training samples that were looked at are among"):
        figures = run.evaluate((x[:30], y[:30]))
    said = run.predict(x[:30])["label"]
    known = y[:30].numpy() >= 0
    assert figures["n"] == 20
    assert figures["accuracy"] == pytest.approx((said == y[:30].numpy())[known].mean())
    with pytest.raises(UserError, match="not there any more"):
        run.evaluate()
    with pytest.raises(UserError, match=r"give X, not \(X, y\)"):
        run.predict((x, y))


def test_a_list_of_files_with_labels(tmp_path, digits):
    paths = [tmp_path / f"{i}.png" for i in range(40)]
    for path, pixels in zip(paths, digits[0], strict=False):
        Image.fromarray(pixels).save(path)
    names = [str(y) if i % 4 else None for i, y in enumerate(digits[1][:40] % 2)]
    run = hs.finetune(([str(p) for p in paths], names), out=tmp_path / "run", **SMALL)
    assert run.result["labels"] + run.result["test"]["n"] == 30
    assert run.predict(paths[:3])["name"].tolist() == [str(p) for p in paths[:3]]
    paths[1].write_bytes(b"no picture")
    said = run.predict(paths[:3], on_bad="skip")
    assert said["name"].tolist() == [str(paths[0]), str(paths[2])]
    with pytest.raises(UserError, match=r"1\.png"):
        run.embed(paths[:3])
    with pytest.raises(UserError, match="no image file, as the others are"):
        hs.pretrain([*paths, tmp_path / "notes.doc"], out=tmp_path / "no", **SMALL)
    with pytest.raises(UserError, match=r"there is no file .*gone\.png"):
        hs.pretrain([*paths, tmp_path / "gone.png"], out=tmp_path / "no", **SMALL)


def test_what_lists_and_arrays_are_taken_for(tmp_path):
    texts = held.dataset_of(["it is red. png", "blue"])
    assert (texts.kind, texts.train.inputs.tolist()) == ("text", ["it is red. png", "blue"])
    assert held.dataset_of(np.array(["red", "blue"])).kind == "text"
    assert held.dataset_of(np.zeros((4, 3))).kind == "table"
    assert held.dataset_of(np.zeros((4, 3, 9)), kind="series").train.inputs.shape == (4, 3, 9)
    pair = held.dataset_of((np.zeros((3, 2)), [1, None, 0]))
    assert pair.train.has_label.tolist() == [True, False, True]
    numbers = held.dataset_of((np.zeros((3, 2)), [0.5, None, -1.0])).train
    assert numbers.has_label.tolist() == [True, False, True]
    assert numbers.targets[[0, 2]].tolist() == [0.5, -1.0]


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (42, "type int are not read"),
        ({"x": [1]}, "type dict"),
        ([], "an empty list"),
        ([np.zeros(3)], "a list of ndarray"),
        ((np.zeros((3, 2)), [1, 2]), "2 targets for 3 samples"),
        (np.zeros(3), r"\[N, F\]"),
    ],
)
def test_everything_else_is_refused_with_what_is_accepted(tmp_path, thing, said):
    with pytest.raises(UserError, match=said):
        hs.pretrain(thing, steps=1, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_options_of_sources_are_refused(tmp_path):
    with pytest.raises(UserError, match="--target kind does not apply to an array"):
        hs.pretrain(np.zeros((4, 3)), target="kind", steps=1, out=tmp_path / "run")
    with pytest.raises(UserError, match="compare reads data from disk"):
        hs.compare(np.zeros((4, 3)), out=tmp_path / "study")


def test_a_frame_of_another_library(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    rng = np.random.default_rng(0)
    table = pyarrow.table(
        {
            "colour": rng.choice(["red", "green"], 60),
            "size": rng.normal(size=60),
            "label": [0, 1] * 30,
        }
    )
    small = {"backbone": {"name": "tabm", "members": 2, "width": 8, "depth": 1}, "steps": 2}
    assert is_frame(Columns(table))
    run = hs.finetune(Columns(table), baselines=False, out=tmp_path / "run", **small)
    assert set(run.predict(Columns(table.drop_columns("label")))["label"]) <= {0, 1}
    assert not is_frame(np.zeros((2, 2)))


def test_a_frame_of_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"colour": ["red", "green"], "size": [1.0, 2.0]})
    assert held.dataset_of((frame, [0, 1])).train.inputs["colour"].tolist() == ["red", "green"]
    assert held.dataset_of(frame["colour"]).kind == "text"


def test_series_in_an_array(tmp_path):
    x, y = waves(40)
    run = hs.finetune(
        (x, y), kind="series", backbone={"name": "tcn", "width": 8}, steps=2, out=tmp_path / "run"
    )
    assert run.config["modality"]["name"] == "series"
    assert len(run.predict(x[:5])["label"]) == 5
    with pytest.warns(UserWarning, match="of the training samples that were looked at are among"):
        assert run.evaluate((x[:10], y[:10]))["n"] == 10
