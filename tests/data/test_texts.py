"""Where texts come from, and what is said of those that are wrong: file and line."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.data import audit
from headstart.data.dataset import Samples
from headstart.data.sources import open_dataset
from headstart.data.texts import LONGEST
from headstart.errors import UserError


def write(path, *lines, end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())
    return path


@pytest.fixture
def tweets(tmp_path):
    """TweetEval's layout."""
    for split, count in (("train", 4), ("val", 2), ("test", 3)):
        write(tmp_path / f"{split}_text.txt", *[f"{split} text {i} 好 ❤" for i in range(count)])
        write(tmp_path / f"{split}_labels.txt", *[i % 2 for i in range(count)])
    (tmp_path / "mapping.txt").write_text("0\t❤\t_heart_\t\n1\tanger")
    return tmp_path


def test_a_text_a_line(tmp_path):
    dataset = open_dataset(str(write(tmp_path / "a.txt", "one", "", "два", "三 ")))
    assert dataset.kind == "text"
    assert dataset.train.inputs.tolist() == ["one", "два", "三 "]
    assert dataset.train.name(1) == "a.txt:3"
    assert dataset.train.targets is None
    assert "1 empty lines were left out (the first is line 2)" in dataset.notes[0]


def test_split_files_and_named_splits(tmp_path):
    write(tmp_path / "train.txt", "a", "b")
    write(tmp_path / "valid.txt", "c")
    held = write(tmp_path / "elsewhere" / "h.txt", "d")
    found = {n: s.inputs.tolist() for n, s in open_dataset(str(tmp_path)).splits.items()}
    assert found == {"train": ["a", "b"], "validation": ["c"]}
    alone = open_dataset(str(tmp_path / "train.txt"), test=str(held))
    assert {n: s.inputs.tolist() for n, s in alone.splits.items()} == {
        "train": ["a", "b"],
        "test": ["d"],
    }


def test_documents_in_class_folders(tmp_path):
    for split in ("train", "test"):
        for name in ("good", "bad"):
            write(tmp_path / split / name / "1.txt", f"{name} in {split},", "second line")
    write(tmp_path / "unlabelled" / "x.txt", "who knows")
    dataset = open_dataset(str(tmp_path))
    assert dataset.kind == "text"
    assert len(dataset.train) == 3
    assert dataset.train.has_label.sum() == 2
    assert dataset.splits["test"].targets.tolist() == ["bad", "good"]
    assert dataset.splits["test"].inputs[0] == "bad in test,\nsecond line\n"


def test_tweeteval_layout_with_names_of_labels(tweets):
    dataset = open_dataset(str(tweets))
    assert {n: len(s) for n, s in dataset.splits.items()} == {
        "train": 4,
        "validation": 2,
        "test": 3,
    }
    assert dataset.train.targets.tolist() == ["_heart_", "anger", "_heart_", "anger"]
    assert dataset.train.name(2) == "train_text.txt:3"


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_column_of_texts(tmp_path, suffix):
    rows = [
        {"words": "one, two", "label": "a", "split": "train"},
        {"words": "三", "label": "b", "split": "train"},
        {"words": "last", "label": "", "split": "test"},
    ]
    path = tmp_path / f"t.{suffix}"
    if suffix == "csv":
        write(path, "words,label,split", '"one, two",a,train', "三,b,train", "last,,test")
    elif suffix == "jsonl":
        write(path, *[json.dumps(row) for row in rows])
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    dataset = open_dataset(str(path), text_column="words")
    assert dataset.kind == "text"
    assert dataset.train.inputs.tolist() == ["one, two", "三"]
    assert dataset.train.targets.tolist() == ["a", "b"]
    assert not dataset.splits["test"].has_label.any()
    with pytest.raises(UserError, match="Did you mean words"):
        open_dataset(str(path), text_column="word")


def test_pictures_among_texts_make_a_folder_of_pictures(tmp_path):
    write(tmp_path / "readme.txt", "about")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"no picture, but called one")
    assert open_dataset(str(tmp_path)).kind == "image"


BAD = {
    "wrong encoding": (b"fine\nna\xefve\n", r"a\.txt, line 2 is not UTF-8"),
    "UTF-16": ("fine".encode("utf-16"), r"a\.txt is UTF-16"),
    "NUL": (b"fine\nalso\nno\0t\n", r"a\.txt, line 3 holds a NUL byte"),
    "50 MB in a line": (
        b"short\n" + b"x " * 25_000_000 + b"\n",
        r"a\.txt, line 2 holds 50,000,000 char",
    ),
    "a carriage return alone": (b"one\rtwo\nthree\n", r"a\.txt, line 1 has a carriage return"),
    "only empty lines": (b"\n \n\n", "every line is empty"),
    "nothing": (b"", "empty"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_lines_are_named(tmp_path, what):
    data, message = BAD[what]
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(UserError, match=message):
        open_dataset(str(tmp_path / "a.txt"))


def test_mixed_ends_of_lines_are_read_and_named(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\r\nthree\n")
    dataset = open_dataset(str(tmp_path / "a.txt"))
    assert dataset.train.inputs.tolist() == ["one", "two", "three"]
    assert "line 2 is the first to end otherwise" in dataset.notes[0]
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\r\nthree")
    assert open_dataset(str(tmp_path / "a.txt")).notes == []


def test_a_label_file_one_line_short_is_named(tweets):
    write(tweets / "train_labels.txt", 0, 1, 0)
    with pytest.raises(UserError, match=r"line 4 of train_text\.txt has no counterpart in train_l"):
        open_dataset(str(tweets))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"0\n1\n\xff\n1\n", r"train_labels\.txt, line 3 is not UTF-8"),
        (b"0\n1\n0\0\n1\n", r"train_labels\.txt, line 3 holds a NUL"),
        (b"0\n1\n0\n1\n1\n", r"line 5 of train_labels\.txt has no counterpart in train_text"),
    ],
)
def test_a_label_file_that_is_wrong_is_named_with_its_line(tweets, data, message):
    (tweets / "train_labels.txt").write_bytes(data)
    with pytest.raises(UserError, match=message):
        open_dataset(str(tweets))


def test_a_label_that_has_no_name_is_named(tweets):
    write(tweets / "val_labels.txt", 0, 7)
    with pytest.raises(UserError, match=r"val_labels\.txt, line 2: the label '7'"):
        open_dataset(str(tweets))


def test_a_line_too_long_in_a_column_is_named(tmp_path):
    path = write(
        tmp_path / "t.jsonl", json.dumps({"t": "a"}), json.dumps({"t": "x" * (LONGEST + 1)})
    )
    with pytest.raises(UserError, match=r"t\.jsonl, line 2 holds 10,000,001"):
        open_dataset(str(path), text_column="t")


def test_columns_mean_nothing_to_lines(tmp_path):
    path = write(tmp_path / "a.txt", "one")
    with pytest.raises(UserError, match="--text-column"):
        open_dataset(str(path), text_column="x")


def test_texts_are_taken_like_other_samples():
    samples = Samples(np.array(["a", "b", "c"], dtype=object), np.array([0, 1, 2]))
    assert samples.take(np.array([2, 0])).inputs.tolist() == ["c", "a"]


def test_an_audit_finds_the_same_text_in_two_splits_and_empty_ones(tweets):
    held = ["train text 0 好 ❤", "quite another one"]
    write(tweets / "val_text.txt", *held)
    write(tweets / "test_text.txt", "one", "", "two of them")
    found = audit.audit(open_dataset(str(tweets)))
    assert found["splits"]["test"]["bad"] == [{"name": "test_text.txt:2", "reason": "no text"}]
    assert found["splits"]["train"]["classes"] == {"_heart_": 2, "anger": 2}
    leaks = found["duplicates"]["leaks"]["examples"]
    assert ["train: train_text.txt:1 (_heart_)", "validation: val_text.txt:1 (_heart_)"] in leaks
    assert "1 texts of test cannot be read" in audit.text(found)
