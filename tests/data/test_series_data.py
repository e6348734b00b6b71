import numpy as np
import pytest

from headstart.data.series import as_series, padded, steps
from headstart.data.sources import open_dataset
from headstart.errors import UserError


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
