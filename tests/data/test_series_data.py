import numpy as np
import pytest

from headstart.data.series import as_series, padded, steps
from headstart.data.sources import open_dataset
from headstart.errors import UserError
from waves import waves


def test_layouts_of_arrays():
    x = np.arange(24.0).reshape(2, 3, 4)
    assert as_series(x[:, 0], "x").shape == (2, 1, 4)
    np.testing.assert_array_equal(as_series(x, "x"), x)
    np.testing.assert_array_equal(as_series(x.transpose(0, 2, 1), "x"), x)
    square = x[:, :, :3]
    np.testing.assert_array_equal(as_series(square, "x", layout="channels-first"), square)
    with pytest.raises(UserError, match="either may be the channels"):
        as_series(square, "x")


def test_lengths_end_series_or_cut_them_apart():
    x = np.arange(8.0).reshape(2, 4)
    ended = as_series(x, "x", lengths=np.array([3, 4]))
    np.testing.assert_array_equal(steps(ended), [3, 4])
    parts = [np.arange(6.0).reshape(3, 2), np.arange(10.0).reshape(5, 2)]
    cut = as_series(np.concatenate(parts), "x", lengths=np.array([3, 5]))
    np.testing.assert_array_equal(cut, padded(parts))
    assert cut.shape == (2, 2, 5)


@pytest.mark.parametrize(
    ("array", "lengths", "words"),
    [
        (np.array([["a", "b"]]), None, "must be numbers"),
        (np.zeros((2, 3, 4, 5)), None, r"expected series \[N, T\]"),
        (np.zeros((0, 4)), None, "is empty"),
        (np.array([[1.0, np.inf]]), None, "infinite value in series 0, channel 0, step 1"),
        (np.array([[1.0, 1e300]]), None, "infinite value in series 0"),
        (np.zeros((2, 4)), np.array([4, 5]), "series 1 is said to have 5 steps"),
        (np.zeros(9), np.array([4, 4]), "add up to 8"),
        (np.zeros((2, 4)), np.array([4.0, 4.0]), "one whole number a series"),
        (np.zeros((2, 4)), np.array([4, -1]), "below 0"),
    ],
)
def test_arrays_that_are_no_series_are_named(array, lengths, words):
    with pytest.raises(UserError, match=words):
        as_series(array, "here", lengths=lengths)


def test_npz_names_series(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, series_train=np.ones((6, 9)), series_test=np.ones((4, 7)), y_train=np.arange(6))
    dataset = open_dataset(str(path))
    assert dataset.kind == "series"
    assert dataset.splits["test"].inputs.shape == (4, 1, 7)
    np.savez(path, x=np.ones((6, 9)), lengths=np.full(6, 5))
    dataset = open_dataset(str(path))
    assert dataset.kind == "series"
    assert dataset.notes == []
    np.savez(path, x=np.ones((6, 2, 9)))
    assert open_dataset(str(path)).kind == "image"
    assert open_dataset(str(path), kind="series").kind == "series"
    np.savez(path, series_train=np.ones((6, 2, 9)), series_test=np.ones((6, 3, 9)))
    with pytest.raises(UserError, match="the splits do not match"):
        open_dataset(str(path))


def read(tmp_path, text, name="x.csv", **options):
    path = tmp_path / name
    path.write_text(text)
    return open_dataset(str(path), **options)


def test_wide_tables_are_a_series_a_row(tmp_path):
    text = "id,label,x_0,x_2,x_1,y_0,y_1,y_2\na,up,1,3,2,4,5,6\nb,down,1,,2,4,5,\n"
    dataset = read(tmp_path, text, kind="series")
    assert dataset.columns == ["x", "y"]
    assert dataset.train.targets.tolist() == ["up", "down"]
    nan = np.nan
    np.testing.assert_array_equal(
        dataset.train.inputs, [[[1, 2, 3], [4, 5, 6]], [[1, 2, nan], [4, 5, nan]]]
    )
    assert dataset.notes == ["columns that are no steps and were not read: id"]
    assert dataset.train.name(1) == "x.csv:3"


def test_long_tables_are_a_step_a_row(tmp_path):
    text = "who,when,a,b,label\nx,1,1,10,0\ny,2020-01-01,5,,1\nx,2.5,2,20,0\ny,2020-01-02,6,60,1\nx,7,3,30,0\n"
    dataset = read(tmp_path, text, series_column="who", time_column="when")
    assert dataset.kind == "series"
    assert [dataset.train.name(i) for i in (0, 1)] == ["x", "y"]
    nan = np.nan
    np.testing.assert_array_equal(
        dataset.train.inputs, [[[1, 2, 3], [10, 20, 30]], [[5, 6, nan], [nan, 60, nan]]]
    )
    assert dataset.train.targets.tolist() == [0, 1]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_lists_in_cells_are_series(tmp_path, suffix):
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {"x": [1.0, 2.0, 3.0], "y": [4.0, None, 6.0], "label": "a", "split": "train"},
        {"x": [1.0, 2.0], "y": [3.0, 4.0], "label": "b", "split": "test"},
    ]
    path = tmp_path / f"x{suffix}"
    if suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    dataset = open_dataset(str(path))
    assert dataset.kind == "series"
    np.testing.assert_array_equal(dataset.train.inputs, [[[1, 2, 3], [4, np.nan, 6]]])
    np.testing.assert_array_equal(steps(dataset.splits["test"].inputs), [2])
    assert dataset.splits["test"].targets.tolist() == ["b"]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("a,b\n1,2\n", {"kind": "series"}, "no columns that are the steps"),
        ("x0,x1,y0\n1,2,3\n", {"kind": "series", "target": "y0"}, None),
        ("x0,x1,y0,y1,y2\n1,2,3,4,5\n", {"kind": "series"}, "channel 'y' has 3 steps"),
        ("x0,x1\n1,two\n", {"kind": "series"}, "line 2, column 'x1' holds 'two'"),
        ("x0,x1\n1,inf\n", {"kind": "series"}, "values must be finite"),
        ("x0,x1\n1,1e39\n", {"kind": "series"}, "values must be finite"),
        ("x0,x1\n1\n", {"kind": "series"}, "line 2 has 1 cells"),
        ("s,t,v\na,1,1\na,1,2\n", {"series_column": "s", "time_column": "t"}, "the time 1 twice"),
        ("s,t,v\na,2,1\na,1,2\n", {"series_column": "s", "time_column": "t"}, "after a later one"),
        ("s,t,v\na,soon,1\n", {"series_column": "s", "time_column": "t"}, "an ISO date"),
        ("s,t,v\na,1,1\n", {"series_column": "r"}, "no column 'r'"),
        ("s,t,v\n,1,1\n", {"series_column": "s"}, "line 2 names no series"),
        ("s,t,v\na,1,1\n", {"time_column": "t"}, "--series-column"),
        ("s,label\na,1\n", {"series_column": "s"}, "no column of values"),
        (
            "s,v,label\na,1,0\na,2,1\n",
            {"series_column": "s"},
            "line 3: series a has 'label' 1 here and 0 before",
        ),
    ],
)
def test_tables_that_are_no_series_are_named(tmp_path, text, options, words):
    if words is None:
        read(tmp_path, text, **options)
        return
    with pytest.raises(UserError, match=words):
        read(tmp_path, text, **options)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('{"x": 5}', "row 1 holds 5, where a list"),
        ('{"x": [1, 1e39]}', "row 1 holds a value that is infinite, or too large"),
    ],
)
def test_lists_that_hold_no_series_are_named(tmp_path, row, words):
    with pytest.raises(UserError, match=words):
        read(tmp_path, '{"x": [1, 2]}\n' + row + "\n", "x.jsonl")


def test_lists_of_different_lengths_in_a_row_are_named(tmp_path):
    with pytest.raises(UserError, match=r"different numbers of steps \('x' 2, 'y' 1\)"):
        read(tmp_path, '{"x": [1, 2], "y": [3]}\n', "x.jsonl")


def test_large_series_stay_on_disk_and_give_the_same_run(tmp_path, monkeypatch):
    """What is drawn, and what is fitted, is as from memory, to the bit."""
    import torch

    from headstart.data import npz
    from headstart.data.mapped import Mapped
    from headstart.modalities.series import Series, SeriesConfig
    from headstart.workflows.config import DataConfig
    from headstart.workflows.supply import Supply

    x, y = waves(300, missing=0.05)
    x[5, :, 1:] = np.nan
    path = tmp_path / "x.npz"
    np.savez(path, series=x, y=y)
    held = open_dataset(str(path)).train
    monkeypatch.setattr(npz, "MAPPED_FROM", 1)
    lying = open_dataset(str(path)).train
    assert isinstance(lying.inputs, Mapped)
    np.testing.assert_array_equal(lying.inputs.read(), x)
    some = np.array([7, 3, 299])
    assert lying.take(some).name(2) == "299"
    fitted = [Series.fit(samples, SeriesConfig()) for samples in (held, lying)]
    assert fitted[0].state() == fitted[1].state()
    drawn = []
    for samples, size in ((held, None), (lying, "40KB")):
        config = DataConfig(on_bad="skip", **({"max_memory": size_of(size)} if size else {}))
        with Supply({"train": samples}, fitted[0], config, seed=3, batch_size=16) as supply:
            loader = supply.loaders["train"]
            loader.y = torch.arange(300)
            parts = [loader.at(position, 16) for position in range(0, 640, 16)]
            assert supply.skipped() == {"train": ["5"]}
            whole = torch.cat([part for part, _ in loader.in_order(64)])
            drawn.append((*(torch.cat(column) for column in zip(*parts, strict=True)), whole))
            notes = supply.notes
    assert "read from the file as they are drawn" in notes[0]
    for one, other in zip(*drawn, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def size_of(text):
    from headstart.settings import Size

    return Size.parse(text)


def test_an_infinite_value_on_disk_is_named(tmp_path, monkeypatch):
    from headstart.data import npz

    monkeypatch.setattr(npz, "MAPPED_FROM", 1)
    x = np.zeros((5_000, 4), dtype=np.float32)
    x[4_500, 2] = np.inf
    path = tmp_path / "x.npz"
    np.savez(path, series=x)
    with pytest.raises(UserError, match="infinite value in series 4500, channel 0, step 2"):
        open_dataset(str(path))
