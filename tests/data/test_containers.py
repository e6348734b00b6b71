import io
import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as Pillow

from headstart.data import pictures, tars
from headstart.data.sources import open_dataset
from headstart.errors import UserError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))


def png(pixels):
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def tar(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))


def decoded(samples):
    return np.stack(
        [pictures.decode(item, mode="RGB", size=(5, 4)) for item in samples.inputs]
    ).transpose(0, 2, 3, 1)


def table(**more):
    cells = [{"bytes": png(p), "path": f"{i}.png"} for i, p in enumerate(PIXELS)]
    return pa.table({"image": cells, "label": [0, 1, 0, 1, None, 1], **more})


def test_tar_shards_are_read_in_any_order_with_their_targets(tmp_path):
    for shard in range(2):
        members = []
        for i in range(3):
            members.append((f"{i:04}.png", png(PIXELS[3 * shard + i])))
            members.append((f"{i:04}.cls", b"%d\n" % (i % 2)))
        tar(tmp_path / "s" / f"train-{shard:02}.tar", members)
    tar(
        tmp_path / "s" / "val-00.tar",
        [("a.b.png", b"x"), ("c.png", png(PIXELS[0])), ("c.json", b'{"label": 1}')],
    )
    for source in (tmp_path / "s", tmp_path / "s" / "train-{00..01}.tar"):
        dataset = open_dataset(str(source))
        assert np.array_equal(decoded(dataset.train), PIXELS)
        assert dataset.train.targets.tolist() == [0, 1, 0, 0, 1, 0]
        picked = dataset.train.take(np.array([5, 1]))
        assert np.array_equal(decoded(picked), PIXELS[[5, 1]])
        assert picked.name(0) == "train-01.tar/0002.png"
    held = open_dataset(str(tmp_path / "s")).splits["validation"]
    assert held.name(0) == "val-00.tar/c.png"
    assert held.targets.tolist() == [1]


def test_a_shard_is_read_through_once(tmp_path, monkeypatch):
    path = tmp_path / "a.tar"
    tar(path, [("1.png", png(PIXELS[0])), ("1.json", b'{"kind": "x"}')])
    first = open_dataset(str(path), target="kind").train
    monkeypatch.setattr(tars, "_read", None)
    again = open_dataset(str(path), target="kind").train
    assert again.targets.tolist() == first.targets.tolist() == ["x"]
    assert np.array_equal(decoded(again), PIXELS[:1])


def test_remote_shards_are_copied_once(tmp_path):
    import fsspec

    tar(tmp_path / "a.tar", [("1.png", png(PIXELS[0])), ("1.cls", b"4")])
    elsewhere = fsspec.filesystem("memory")
    elsewhere.put_file(str(tmp_path / "a.tar"), "/bucket/train-0.tar")
    for _ in range(2):
        train = open_dataset("memory://bucket/train-{0..0}.tar").train
        assert np.array_equal(decoded(train), PIXELS[:1])
        assert train.targets.tolist() == [4]
    assert len(list((tmp_path / "cache" / "shards").rglob("train-0.tar"))) == 1
    with pytest.raises(UserError, match=r"memory://bucket/none\.tar cannot be read"):
        open_dataset("memory://bucket/none.tar")
    with pytest.raises(UserError, match="cannot be read"):
        open_dataset("nosuch://bucket/a.tar")


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.tar", lambda p: p.write_bytes(b"nothing of the kind" * 90), "not a readable tar"),
        ("a.tar", lambda p: tar(p, [("1.txt", b"no pictures")]), "holds no pictures"),
        ("a.tar", lambda p: tar(p, [("1.png", b"x"), ("1.json", b"{")]), "1.json is no json"),
        ("a.tar.gz", lambda p: p.write_bytes(b"\x1f\x8b\x08" + bytes(600)), "compressed"),
        ("a-{0..1}.tar", lambda p: None, "no tar file"),
        ("a.jsonl", lambda p: p.write_text('{"file": "x"}\n{"file": \n'), "line 2 is not JSON"),
        ("a.jsonl", lambda p: p.write_text("[1]\n"), "line 1: expected a JSON object"),
        ("a.jsonl", lambda p: p.write_text('{"file": "x"}\n'), "line 1: 'x'"),
        ("a.parquet", lambda p: p.write_bytes(b"PAR1 no"), "not a readable Parquet"),
        ("a.arrow", lambda p: p.write_bytes(b"no"), "not a readable Arrow"),
        (
            "a.parquet",
            lambda p: pq.write_table(pa.table({"image": [None, b"x"]}), p),
            "row 0, column 'image'",
        ),
    ],
)
def test_what_is_malformed_is_named(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(UserError, match=message):
        open_dataset(str(tmp_path / name))


def test_a_tar_that_ends_early_is_refused(tmp_path):
    path = tmp_path / "a.tar"
    tar(path, [("1.png", png(PIXELS[0])), ("2.png", bytes(5_000))])
    path.write_bytes(path.read_bytes()[:3_000])
    with pytest.raises(UserError, match=r"truncated|not a readable tar"):
        open_dataset(str(path))


@pytest.mark.parametrize("compression", ["snappy", "zstd", "none"])
def test_parquet_with_pictures(tmp_path, compression):
    pq.write_table(table(), tmp_path / "a.parquet", compression=compression, row_group_size=4)
    for _ in range(2):  # unpacked, then found in the cache
        train = open_dataset(str(tmp_path / "a.parquet")).train
        assert np.array_equal(decoded(train), PIXELS)
        assert train.has_label.tolist() == [True] * 4 + [False, True]


def test_a_folder_that_save_to_disk_wrote(tmp_path):
    features = {"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    noted = {"huggingface": json.dumps({"info": {"features": features}})}
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    for split in ("train", "test"):
        folder = tmp_path / split
        folder.mkdir()
        (folder / "state.json").write_text('{"_data_files": [{"filename": "data-00000.arrow"}]}')
        rows = table().replace_schema_metadata(noted)
        with (
            pa.OSFile(str(folder / "data-00000.arrow"), "wb") as sink,
            pa.ipc.new_stream(sink, rows.schema) as writer,
        ):
            writer.write_table(rows, max_chunksize=4)
    dataset = open_dataset(str(tmp_path))
    assert set(dataset.splits) == {"train", "test"}
    assert np.array_equal(decoded(dataset.splits["test"]), PIXELS)
    assert dataset.train.targets.tolist() == ["cat", "dog", "cat", "dog", "", "dog"]
    assert not (tmp_path / "cache" / "unpacked").exists()  # read where it lies


def test_jsonl_and_parquet_manifests_are_as_csv_ones(tmp_path):
    rows = []
    for i, pixels in enumerate(PIXELS):
        (tmp_path / f"{i}.png").write_bytes(png(pixels))
        rows.append(
            {"file": f"{i}.png", "label": "ab"[i % 2], "split": ["train", "test"][i % 3 == 2]}
        )
    rows[0]["label"] = None
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "m.parquet")
    for name in ("m.jsonl", "m.parquet"):
        dataset = open_dataset(str(tmp_path / name))
        assert np.array_equal(decoded(dataset.train), PIXELS[[0, 1, 3, 4]])
        assert dataset.train.targets.tolist() == ["", "b", "b", "a"]
        assert len(dataset.splits["test"]) == 2
