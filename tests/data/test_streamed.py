import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from headstart.data import listing
from headstart.data.decoding import CRASHED, Decoders, Decoding
from headstart.data.folders import read_folder
from headstart.data.loader import Resident
from headstart.data.spool import open_spool
from headstart.data.streamed import Reader, Streamed, read_resident
from headstart.errors import UserError

COUNT = 150
DECODING = Decoding("headstart.data.pictures:decode", {"mode": "RGB", "size": [8, 8]}, (3, 8, 8))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        place = tmp_path / "photos" / f"c{i % 3}"
        place.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Pillow.fromarray(small).resize((12, 12)).save(place / f"{i}.jpg")
    return tmp_path / "photos"


def settle(folder):
    """Make folders look as if they had not been touched for a while."""
    long_ago = time.time() - 60
    for place in (folder, *(p for p in folder.rglob("*") if p.is_dir())):
        os.utime(place, (long_ago, long_ago))


def streamed(files, *, workers=0, spool=True, **more):
    return Streamed(files, Reader(files, DECODING, workers, spool), **more)


def close(loader):
    loader.close()
    loader.reader.close()


def resident(files, on_bad="fail", **more):
    x, bad = read_resident(files, Reader(files, DECODING, 0, False), on_bad)
    return Resident(x, bad=bad, **more)


def same(one, other):
    return all(
        (a is None and b is None) or torch.equal(a, b) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize(("workers", "spool"), [(0, False), (0, True), (1, True), (3, False)])
def test_streamed_batches_are_the_resident_ones_bit_for_bit(folder, workers, spool):
    files = read_folder(folder).train.inputs
    y = torch.arange(COUNT)
    expected = resident(files, y=y, seed=3)
    found = streamed(files, workers=workers, spool=spool, y=y, seed=3)
    try:
        for position in [*range(0, 400, 40), 37, 120, 2 * COUNT - 5]:  # epochs, jumps, resumes
            assert same(found.at(position, 40), expected.at(position, 40))
        for one, other in zip(found.in_order(64), expected.in_order(64), strict=True):
            assert same(one, other)
    finally:
        close(found)


def test_strided_positions_are_what_several_processes_ask_for(folder):
    files = read_folder(folder).train.inputs
    expected, found = resident(files, seed=1), streamed(files, seed=1)
    for step in range(12):
        assert same(found.at(step * 32 + 16, 16), expected.at(step * 32 + 16, 16))
    close(found)


@pytest.mark.parametrize("bad", [[5], [0, 1, 2], [COUNT - 1, COUNT - 2, 0]])
def test_the_next_readable_sample_stands_in_for_a_damaged_one(folder, bad):
    files = read_folder(folder).train.inputs
    for i in bad:
        files[i].write_bytes(b"no picture")
    said = []
    y = torch.arange(COUNT)
    one = streamed(files, y=y, on_bad="skip", notice=said.append)
    other = resident(files, "skip", y=y)
    for position in range(0, COUNT, 50):
        x, numbers = one.at(position, 50)
        assert not set(numbers.tolist()) & set(bad)
        assert same((x, numbers), other.at(position, 50))
    assert set(one.damaged(COUNT)) == set(other.damaged(0)) == set(bad)
    assert len(said) == len(bad)
    assert str(files[bad[0]]) in "".join(said)
    judged = torch.cat([numbers for _, numbers in one.in_order(64)])
    assert judged.tolist() == [i for i in range(COUNT) if i not in bad]
    close(one)
    resumed = streamed(files, on_bad="skip")  # another process, which has met none of them
    assert set(resumed.damaged(COUNT)) == set(bad)
    assert resumed.damaged(0) == dict.fromkeys(resumed.damaged(0), "no known picture format")
    close(resumed)


def test_a_damaged_sample_stops_training_by_name(folder):
    files = read_folder(folder).train.inputs
    files[7].write_bytes(files[7].read_bytes()[:100])
    loader = streamed(files)
    with pytest.raises(UserError, match=str(files[7])):
        list(map(loader.at, range(0, COUNT, 10), [10] * (COUNT // 10)))
    close(loader)


def test_a_picture_that_changes_is_decoded_anew(folder):
    files = read_folder(folder).train.inputs
    reader = Reader(files, DECODING, 0, spool=True)
    first = np.empty((COUNT, 3, 8, 8), np.uint8)
    assert reader.read(np.arange(COUNT), first) == {}
    assert all(reader.spool.has(i) for i in range(COUNT))
    Pillow.new("RGB", (12, 12), "red").save(files[3])
    rows = reader.spool._rows
    rows.seek(9 * DECODING.bytes)
    rows.write(b"\xff\x00\xff")  # a damaged spool
    again = np.empty_like(first)
    assert reader.read(np.arange(COUNT), again) == {}
    changed = [i for i in range(COUNT) if not np.array_equal(first[i], again[i])]
    assert changed == [3]
    reader.close()


def test_a_spool_is_shared_by_splits_and_outlives_its_process(folder, monkeypatch):
    files = read_folder(folder).train.inputs
    reader = Reader(files.take(np.arange(100)), DECODING, 0, spool=True)
    reader.read(np.arange(100), np.empty((100, 3, 8, 8), np.uint8))
    reader.close()
    spool = open_spool(files.take(np.arange(50, 150)), DECODING)
    assert [spool.has(i) for i in (0, 99, 100)] == [True, True, False]
    spool.close()
    monkeypatch.setenv("HEADSTART_CACHE", "/proc/nowhere")
    assert open_spool(files, DECODING) is None


def test_a_listing_is_read_again_only_where_a_folder_changed(folder, monkeypatch):
    monkeypatch.setattr(listing, "WORTH", 1)
    settle(folder)
    before = read_folder(folder).train
    scanned = []
    scan = listing._scan
    monkeypatch.setattr(listing, "_scan", lambda f, what: scanned.append(f) or scan(f, what))
    again = read_folder(folder).train
    assert scanned == []
    assert [str(p) for p in again.inputs] == [str(p) for p in before.inputs]
    assert again.targets.tolist() == before.targets.tolist()
    (folder / "c1" / "new.jpg").write_bytes((folder / "c1" / "1.jpg").read_bytes())
    assert len(read_folder(folder).train) == COUNT + 1
    assert [Path(f).name for f in scanned] == ["c1"]
    # So lately changed, it may have changed again: it is looked at once more.
    assert len(read_folder(folder).train) == COUNT + 1
    assert len(scanned) == 2


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-1], lambda d: d[:40] + b"x" + d[41:], lambda d: b""]
)
def test_a_damaged_listing_is_made_again(folder, tmp_path, monkeypatch, damage):
    monkeypatch.setattr(listing, "WORTH", 1)
    settle(folder)
    read_folder(folder)
    (kept,) = (tmp_path / "cache" / "listings").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    assert len(read_folder(folder).train) == COUNT
    assert len(kept.read_bytes()) == len(whole)


def test_workers_end_with_the_process_that_started_them(folder):
    code = (
        "import os, sys, time; from pathlib import Path; from headstart.data.streamed import *;"
        "from headstart.data.folders import read_folder;"
        "from tests.data.test_streamed import DECODING;"
        "f = read_folder(Path(sys.argv[1])).train.inputs; r = Reader(f, DECODING, 2, False);"
        "s = Streamed(f, r); s.at(0, 100); pid = os.getpid();"
        "print(open(f'/proc/{pid}/task/{pid}/children').read()"
        " + ' '.join(open(p).read() for p in map(str, Path(f'/proc/{pid}/task').glob('*/children'))),"
        " flush=True); time.sleep(60)"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True, cwd=root
    ) as parent:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        parent.send_signal(signal.SIGKILL)
    assert workers
    deadline = time.monotonic() + 10
    while any(_lives(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_lives(pid) for pid in workers)


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_sample_that_kills_its_decoder_is_bad_and_the_others_are_not(folder):
    files = [p for p in read_folder(folder).train.inputs if int(p.stem) < 20]
    decoders = Decoders(Decoding("decoders:suicidal", {}, (2,)), 1)
    rows, bad = decoders(files)
    decoders.close()
    assert bad == {[p.stem for p in files].index("7"): CRASHED}
    assert rows.sum() == 2 * (len(files) - 1)


GROWTH = """
import sys
from pathlib import Path
from headstart.data.decoding import Decoding
from headstart.data.folders import read_folder
from headstart.data.streamed import Reader, Streamed, read_resident

def peak():
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM"))

decoding = Decoding(
    "headstart.data.pictures:decode", {"mode": "RGB", "size": [192, 192]}, (3, 192, 192)
)
files = read_folder(Path(sys.argv[1])).train.inputs
reader = Reader(files, decoding, 0, spool=False)
small = Streamed(files[:64], reader, memory=2_000_000)
small.at(0, 32)
small.close()
before = peak()
loader = Streamed(files, reader, memory=2_000_000)
for position in range(0, len(files), 32):
    loader.at(position, 32)
for x, _ in loader.in_order(32):
    pass
loader.close()
streamed = peak()
x, _ = read_resident(files, reader, "fail")
print(streamed - before, peak() - before)
"""


def test_streaming_takes_no_more_memory_than_it_may(folder):
    one = next(folder.rglob("*.jpg")).read_bytes()
    for i in range(1_000):
        (folder / "c0" / f"more-{i}.jpg").write_bytes(one)
    found = subprocess.run(
        [sys.executable, "-c", GROWTH, str(folder)], capture_output=True, text=True, check=True,
        env={**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"},  # or arrays grow by what pages are free
    )  # fmt: skip
    streamed, resident = (int(kilobytes) / 1e3 for kilobytes in found.stdout.split())
    assert resident > 100  # MB: 1,150 pictures of 110 kB
    assert streamed < resident / 3  # 2 were allowed; the allocator keeps some, how much varies
