"""Texts that are streamed: the same texts, the same rows, and what is wrong named with its line."""

import json
from contextlib import closing

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import headstart as hs
from headstart.data.corpus import open_corpus
from headstart.data.dataset import Samples
from headstart.data.loader import Resident
from headstart.data.rows import DiskRows, kept_rows
from headstart.data.splits import ensure_test
from headstart.errors import UserError
from headstart.modalities.text import Text
from headstart.settings import Size
from headstart.workflows.config import DataConfig
from headstart.workflows.supply import Supply
from texts import modality, sentences


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))


def written(folder, suffix, texts):
    path = folder / f"c.{suffix}"
    if suffix == "txt":
        path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps({"t": text}) + "\n" for text in texts))
    else:
        pq.write_table(pa.table({"n": range(len(texts)), "t": texts}), path)
    return str(path)


@pytest.mark.parametrize("suffix", ["txt", "jsonl", "parquet"])
def test_every_text_is_in_one_split_in_the_order_of_the_file(tmp_path, suffix):
    texts = [f"text {i} 好" for i in range(3_000)]
    source = written(tmp_path, suffix, [*texts[:10], "  ", *texts[10:]])
    column = None if suffix == "txt" else "t"
    data = ensure_test(open_corpus(source, column, {}, 1), 0)
    parts = {name: list(samples.inputs) for name, samples in data.splits.items()}
    assert {n: len(s) for n, s in data.splits.items()} == {n: len(p) for n, p in parts.items()}
    assert sorted(parts["train"] + parts["test"]) == sorted(texts)
    assert 0.15 < len(parts["test"]) / 3_000 < 0.25
    number = {text: i for i, text in enumerate(texts)}
    assert all(list(map(number.get, p)) == sorted(map(number.get, p)) for p in parts.values())
    some = data.splits["test"].take(np.array([5, 2]))
    assert some.inputs.tolist() == [parts["test"][5], parts["test"][2]]
    kept, held = data.train.inputs.parted(0.1, 0)
    assert sorted([*kept, *held]) == sorted(parts["train"])


def test_what_fits_in_memory_is_not_streamed(tmp_path):
    source = written(tmp_path, "txt", ["a"] * 100)
    assert open_corpus(source, None, {}, 10**6) is None
    assert open_corpus("digits", None, {}, 1) is None


def test_rows_are_those_of_texts_in_memory(tmp_path):
    texts = [" ".join(sentences()[i : i + 6]) for i in range(200)]
    data = open_corpus(written(tmp_path, "txt", texts), None, {}, 1)
    text = Text.from_state(modality().state())
    wanted, _ = text.stretches(Samples(np.array(texts, dtype=object)))
    config = DataConfig(max_memory=Size(10**6))
    with Supply(data.splits, text, config, seed=3, batch_size=8, rows=text.stretches) as supply:
        loader = supply.loaders["train"]
        rows = torch.cat([x for x, _ in loader.in_order(7)])
        assert torch.equal(rows, wanted)
        in_memory = Resident(wanted, seed=3)
        for position in (0, 40, 1_000):
            assert torch.equal(loader.at(position, 8)[0], in_memory.at(position, 8)[0])
    with Supply(data.splits, text, config, seed=3, batch_size=8) as supply:
        one = next(supply.loaders["train"].in_order(4))[0]
        whole = text.tensor(data.train.take(np.arange(4)))[0]
        assert torch.equal(one[:, :-1], whole[:, : text.window - 1])
        assert (one[:, -1] == text.vocabulary.end).all()


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path):
    def parts():
        yield np.zeros((2, 4), np.int16)
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="No space left"):
        kept_rows("key", parts())
    assert not any((tmp_path / "cache" / "tokens").iterdir())
    path, stays = kept_rows("key", iter([np.arange(8, dtype=np.int16).reshape(2, 4)]))
    assert stays
    with closing(DiskRows(path, 4, np.dtype("int16"), 0)) as rows:
        assert rows.at(0, 2)[0].sum() == 28
    assert kept_rows("key", parts()) == (path, True)


BAD = {
    "wrong encoding": (b"fine\nna\xefve\n", r"a\.txt, line 2 is not UTF-8"),
    "UTF-16": ("fine".encode("utf-16"), r"a\.txt is UTF-16"),
    "NUL": (b"fine\nalso\nno\0t\n", r"a\.txt, line 3 holds a NUL byte"),
    "50 MB in a line": (b"short\n" + b"x " * 25_000_000, r"a\.txt, line 2 holds more than 10,000"),
    "a carriage return alone": (b"one\rtwo\nthree\n", r"a\.txt, line 1 has a carriage return"),
    "only empty lines": (b"\n \n\n", "holds no text"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_lines_are_named(tmp_path, what):
    data, message = BAD[what]
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(UserError, match=message):
        open_corpus(str(tmp_path / "a.txt"), None, {}, 1)


def test_a_broken_line_of_json_and_a_broken_parquet_are_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"t": "fine"}\n{"t": "ha\n')
    with pytest.raises(UserError, match=r"a\.jsonl, line 2 is not JSON"):
        open_corpus(str(tmp_path / "a.jsonl"), "t", {}, 1)
    with pytest.raises(UserError, match=r"a\.jsonl, line 1 has no 'x' of texts"):
        open_corpus(str(tmp_path / "a.jsonl"), "x", {}, 1)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and then nothing of the kind")
    with pytest.raises(UserError, match="not a readable Parquet"):
        open_corpus(str(tmp_path / "a.parquet"), "t", {}, 1)


def test_a_run_on_streamed_texts_is_finished_and_reported(tmp_path):
    source = written(tmp_path, "txt", sentences()[:600])
    small = {"name": "transformer", "width": 16, "depth": 1}
    how = {"steps": 3, "backbone": small, "out": tmp_path / "run"}
    run = hs.pretrain(source, max_memory="100kB", **how)
    with pytest.raises(UserError, match=r"whose texts were streamed; .* held in memory"):
        hs.pretrain(source, max_memory="100MB", resume=True, **how)
    assert any("read line by line" in note for note in run.result["notes"])
    assert len(run.embed(["a text"])) == 1
    page = tmp_path / "run" / "report.html"
    from headstart.report import build

    build(tmp_path / "run")
    assert "Hidden words" in page.read_text()
    assert run.evaluate()["n"] > 0
