"""Tables as files hold them: types of columns, targets, splits, and what is wrong with them."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.data import audit
from headstart.data.cells import Distinct, factorised
from headstart.data.columns import infer
from headstart.data.csvs import parse_targets
from headstart.data.inputs import open_inputs
from headstart.data.sources import open_dataset
from headstart.data.tabular import from_frame
from headstart.errors import UserError

ROWS = [
    {"age": 20 + i % 37, "job": ("cook", "smith", "")[i % 3], "grade": 0.5 * (i % 11), "y": i % 2}
    for i in range(60)
]


def write(path, rows=ROWS):
    """The same rows as a file of the kind that its name ends with."""
    names = list(rows[0])
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({**r, "job": r["job"] or None}) + "\n" for r in rows))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([{**r, "job": r["job"] or None} for r in rows]), path)
    else:
        between = "\t" if path.suffix == ".tsv" else ","
        lines = [names, *[[str(r[n]) for n in names] for r in rows]]
        path.write_text("".join(between.join(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_kind_of_file_gives_the_same_table(tmp_path, suffix):
    dataset = open_dataset(str(write(tmp_path / f"a{suffix}")), target="y")
    assert dataset.kind == "table"
    assert dataset.train.inputs.dtype.names == ("age", "job", "grade")
    assert dataset.train.inputs["age"].tolist() == [r["age"] for r in ROWS]
    assert dataset.train.inputs["job"].tolist() == [r["job"] for r in ROWS]
    assert dataset.train.targets.tolist() == [r["y"] for r in ROWS]
    assert dataset.train.targets.dtype.kind == "i"


def test_a_frame_is_a_table():
    pandas = pytest.importorskip("pandas")
    dataset = from_frame(pandas.DataFrame(ROWS), "y")
    assert dataset.train.inputs["grade"].tolist() == [r["grade"] for r in ROWS]
    assert dataset.train.targets.tolist() == [r["y"] for r in ROWS]


@pytest.mark.parametrize(
    ("name", "cells", "meaning"),
    [
        ("a", ["1.5", "2", "", "-3e2"], "number"),
        ("a", ["1", "0", "0", "1"], "boolean"),
        ("a", ["yes", "no", "no", ""], "boolean"),
        ("a", ["red", "blue", "red", "red"], "category"),
        ("zip", ["01234", "90210", "01234", "00501"], "category"),
        ("a", ["2026-11-25", "2025-01-02 10:30", "", "2024-02-29"], "date"),
        ("a", ["25.11.2026", "01.02.2025"], "date"),
        ("customer_id", [str(7 * i * i) for i in range(50)], "identifier"),
        ("a", [str(i) for i in range(100, 200)], "identifier"),
        ("a", [f"K{i:05}" for i in range(50)], "identifier"),
        ("a", [f"what a day number {i} was" for i in range(50)], "text"),
        ("a", [*map(str, range(3, 60, 3)), "many"], "number"),
        ("a", ["", "", ""], "ignore"),
    ],
)
def test_meaning_of_a_column(tmp_path, name, cells, meaning):
    path = tmp_path / "a.csv"
    path.write_text(f"{name},y\n" + "".join(f"{cell},1\n" for cell in cells))
    table = open_dataset(str(path), target="y").train.inputs
    assert infer(name, table[name]) == meaning


def test_split_column_and_files_of_splits(tmp_path):
    rows = [{**r, "split": ("train", "test")[i % 5 == 0]} for i, r in enumerate(ROWS)]
    dataset = open_dataset(str(write(tmp_path / "a.csv", rows)), target="y")
    assert {n: len(s) for n, s in dataset.splits.items()} == {"train": 48, "test": 12}
    assert dataset.splits["test"].name(1) == "a.csv:7"
    path = tmp_path / "a.csv"  # to predict for, whatever it was read for first
    for split, count in ((None, 12), ("train", 48)):
        samples, _ = open_inputs(path, split, "table", features=("age", "job"))
        assert len(samples) == count
    with pytest.raises(UserError, match="no split 'validation'"):
        open_inputs(path, "validation", "table", features=("age", "job"))
    write(path, [r for r in rows if r["split"] == "test"])
    assert len(open_inputs(path, None, "table", features=("age", "job"))[0]) == 12
    assert len(open_inputs(path, None, "table", features=("age", "split"))[0]) == 12
    write(tmp_path / "b.csv", [{k: r[k] for k in ("y", "grade", "age", "job")} for r in ROWS])
    dataset = open_dataset(str(write(tmp_path / "c.csv")), target="y", test="b.csv")
    assert dataset.splits["test"].inputs["age"].tolist() == [r["age"] for r in ROWS]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,y\n1,2,3\n4,5\n", "line 3 has 2 cells; its header has 3"),
        ("a,a,y\n1,2,3\n", "several columns called 'a'"),
        ("", "is empty"),
        ("a,b,y\n", "has a header and no rows"),
        ('a,b,y\n1,"2,3\n', "line"),
        ("a,b,y\n1,\0,3\n", "line 2 holds a NUL byte"),
        ("a,b,y\n1,2,inf\n", "not a finite number"),
        ("y\n1\n2\n", "no column beside its target"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        open_dataset(str(path), target="y")


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,y\n1,2\n\xff\xfe,3\n")
    with pytest.raises(UserError, match="line 3 is not UTF-8"):
        open_dataset(str(path), target="y")


def test_columns_of_splits_must_match(tmp_path):
    write(tmp_path / "b.csv", [{"age": 1, "y": 0}])
    with pytest.raises(UserError, match=r"b\.csv has no column 'job'"):
        open_dataset(str(write(tmp_path / "a.csv")), target="y", test="b.csv")
    with pytest.raises(UserError, match="Did you mean grade"):
        open_dataset(str(tmp_path / "a.csv"), target="grad")


def test_a_copy_of_the_target_is_warned_of(tmp_path):
    rows = [{**r, "sure": "no" if r["y"] else "yes", "z": 3 * r["grade"] + 1} for r in ROWS]
    found = audit.audit(open_dataset(str(write(tmp_path / "a.csv", rows)), target="y"))
    warned = [note for note in found["notes"] if note.startswith("warning")]
    assert len(warned) == 1
    assert "'sure' gives the target 'y' away" in warned[0]
    dataset = open_dataset(str(tmp_path / "a.csv"), target="grade")
    assert any("'z' gives the target 'grade' away" in note for note in dataset.notes)


def test_inspect_shows_columns_and_equal_rows(tmp_path):
    rows = [{**r, "n": i // 2} for i, r in enumerate(ROWS)] + [{**ROWS[0], "n": 0}]
    found = audit.audit(open_dataset(str(write(tmp_path / "a.csv", rows)), target="y"))
    assert found["splits"]["train"]["columns"]["job"].startswith("category, 2 values")
    assert "missing" in found["splits"]["train"]["columns"]["job"]
    assert found["duplicates"]["exact"]["count"] == 1
    assert "age: number, 20 to 56" in audit.text(found)


def test_millions_of_equal_cells_are_kept_once(tmp_path):
    table = open_dataset(str(write(tmp_path / "a.csv")), target="y").train.inputs
    assert len({id(cell) for cell in table["job"]}) == 3
    assert np.isnan(table["age"]).sum() == 0


def test_a_column_of_different_numbers_may_end_in_a_word():
    cells = Distinct()
    cells.add([str(i / 7) for i in range(400)])
    numbers = cells.typed()
    assert numbers.dtype.kind == "f"
    np.testing.assert_array_equal(numbers, np.arange(400) / 7)
    cells.add(["?", "1.5"])
    assert cells.typed().dtype.kind == "f"
    assert np.isnan(cells.typed()[400])
    cells.add(["many", "2"])
    found = cells.typed()
    assert found.dtype.kind == "O"
    assert found[:2].tolist() == ["0", str(1 / 7)]
    assert found[400:].tolist() == ["", "1.5", "many", "2"]


def test_factorising_is_numpys():
    cells = np.array(list("banana"), dtype=object)
    values, codes = factorised(cells)
    theirs, where = np.unique(cells, return_inverse=True)
    assert values.tolist() == theirs.tolist()
    assert codes.tolist() == where.tolist()


LONG = [2**53 + 1 + 2 * i for i in range(30)]  # every second one float64 would round to another


@pytest.mark.parametrize("kind", ["csv", "parquet", "frame"])
def test_whole_numbers_that_lose_digits_are_kept_as_text(tmp_path, kind):
    columns = {"user": LONG, "x": [0.5 * i for i in range(30)], "y": [i % 2 for i in range(30)]}
    table = pa.table(columns)
    path = tmp_path / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(table, path)
    elif kind == "csv":
        rows = zip(*columns.values(), strict=True)
        path.write_text("user,x,y\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    dataset = from_frame(table, "y") if kind == "frame" else open_dataset(str(path), target="y")
    assert dataset.train.inputs["user"].tolist() == [str(n) for n in LONG]
    assert infer("user", dataset.train.inputs["user"]) == "identifier"
    assert dataset.train.inputs["x"].dtype.kind == "f"
    as_target = (
        from_frame(table, "user") if kind == "frame" else open_dataset(str(path), target="user")
    )
    assert as_target.train.targets.tolist() == LONG


def test_numbers_that_come_again_and_lose_digits_are_categories():
    cells = Distinct()
    cells.add([str(LONG[i % 3]) for i in range(60)])
    assert infer("a", cells.typed()) == "category"
    cells = Distinct()
    cells.add([f"{10**i}" for i in range(22)])  # which float64 holds to the digit
    assert infer("a", cells.typed()) == "number"


@pytest.mark.parametrize("frame", [True, False])
def test_what_arrow_refuses_is_named(tmp_path, frame):
    bad = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")]
    )
    table = pa.table({"words": bad, "y": [1]})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    with pytest.raises(UserError, match="column 'words' of type string cannot be read") as refused:
        from_frame(table, "y") if frame else open_dataset(str(path), target="y")
    assert ("the frame" if frame else "a.parquet") in refused.value.message


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["007", "7", "07", ""], ["007", "7", "07", ""]),
        (["0.5", "00.5"], ["0.5", "00.5"]),
        (["7", "-0", "0", "+3"], [7, 0, 0, 3]),
        (["0.5", "7", "1e3"], [0.5, 7.0, 1000.0]),
        (["12345678901234567891", "12345678901234567892"],) * 2,
    ],
)
def test_targets_are_numbers_only_where_nothing_is_lost(values, wanted):
    targets, _ = parse_targets(values)
    assert targets.tolist() == wanted


def test_targets_of_all_splits_are_of_one_type(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,007\n2,7\n3,8\n")
    (tmp_path / "b.csv").write_text("x,y\n1,7\n2,8\n")
    dataset = open_dataset(str(tmp_path / "a.csv"), test="b.csv", target="y")
    assert dataset.train.targets.tolist() == ["007", "7", "8"]
    assert dataset.splits["test"].targets.tolist() == ["7", "8"]
