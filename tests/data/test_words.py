"""Words with tags: the same from every kind of file; what is wrong is named with its line."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.data.sources import open_dataset
from headstart.errors import UserError

ROWS = [
    {
        "tokens": ["John", "lives", "in", "New", "York"],
        "tags": ["B-PER", "O", "O", "B-LOC", "I-LOC"],
    },
    {"tokens": ["好", "的"], "tags": ["O", "O"]},
    {"tokens": ["a\u2028b"], "tags": ["O"]},  # no end of a line
]


@pytest.mark.parametrize("suffix", ["conll", "jsonl", "parquet"])
def test_words_and_tags_are_the_same_from_every_file(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    if suffix == "conll":
        parts = ["\n".join(f"{w}\t_\t{t}" for w, t in zip(*r.values(), strict=True)) for r in ROWS]
        path.write_text("\n\n".join(parts) + "\n")
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    data = open_dataset(str(path))
    assert (data.kind, data.task) == ("text", "tagging")
    assert data.train.inputs.tolist() == [tuple(row["tokens"]) for row in ROWS]
    assert data.train.targets.tolist() == ["B-PER O O B-LOC I-LOC", "O O", "O"]


def test_words_without_tags_are_unlabelled(tmp_path):
    (tmp_path / "a.conll").write_text("one\ntwo\n\nthree\n")
    data = open_dataset(str(tmp_path / "a.conll"))
    assert data.train.inputs.tolist() == [("one", "two"), ("three",)]
    assert data.train.targets is None


BAD = {
    "a line short of a column": ("a.conll", "a X O\n\nb O\n", r"a\.conll, line 3: 'b O' has 2 col"),
    "no words": ("a.conll", "\n\n", "holds no words"),
    "a tag too few": (
        "a.jsonl",
        '{"tokens": ["a", "b"], "tags": ["O"]}\n',
        r"a\.jsonl:1 has 2 words",
    ),
    "a number for a word": (
        "a.jsonl",
        '{"tokens": ["a", 2], "tags": ["O", "O"]}\n',
        "must be text",
    ),
    "half a line": ("a.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n{"tok', r"line 2 is not JSON"),
    "a tag of two words": ("a.jsonl", '{"tokens": ["a"], "tags": ["O O"]}\n', "white space in it"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_named(tmp_path, what):
    name, text, message = BAD[what]
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        open_dataset(str(tmp_path / name))
