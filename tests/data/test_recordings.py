import struct

import numpy as np
import pytest
import soundfile

from headstart.data import recordings
from headstart.data.audit import audit
from headstart.data.budget import choose
from headstart.data.dataset import Samples
from headstart.data.files import Range, Unreadable
from headstart.data.hearing import HEAD, LEVEL, lengths
from headstart.data.inputs import open_inputs
from headstart.data.recordings import decode, probe
from headstart.data.sources import open_dataset
from headstart.data.splits import cut, ensure_test
from headstart.errors import UserError
from sounds import tone, tones

PLAIN = {"rate": 8_000, "window": 8_000, "windows": 1, "level": False, "trim": 0.0}


def wave_of(row):
    n = int(lengths(row[None].astype(np.int64))[0])
    return row[HEAD : HEAD + n] / 32_767


def test_samples_come_back_as_they_were_written(tmp_path):
    wave = tone(440)
    soundfile.write(tmp_path / "a.wav", wave, 8_000, subtype="PCM_16")
    row = decode(tmp_path / "a.wav", **PLAIN)
    assert row.shape == (HEAD + 8_000,)
    np.testing.assert_allclose(wave_of(row), wave, atol=1e-4)
    assert not row[HEAD + len(wave) :].any()


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("a.wav", 44_100, 2, "PCM_24"),
        ("a.wav", 16_000, 1, "FLOAT"),
        ("a.flac", 22_050, 1, "PCM_16"),
        ("a.ogg", 16_000, 1, "VORBIS"),
        ("a.mp3", 44_100, 2, "MPEG_LAYER_III"),
        ("a.aiff", 11_025, 1, "PCM_16"),
    ],
)
def test_every_format_rate_and_number_of_channels_gives_the_same_tone(
    tmp_path, name, rate, channels, subtype
):
    wave = tone(440, rate=rate, loud=0.2)
    soundfile.write(tmp_path / name, np.stack([wave] * channels, 1), rate, subtype=subtype)
    found = probe(tmp_path / name)
    assert (found.rate, found.channels) == (rate, channels)
    made = wave_of(decode(tmp_path / name, **PLAIN))
    spectrum = np.abs(np.fft.rfft(made[:4_000] * np.hanning(len(made[:4_000])), 8_000))
    assert abs(int(spectrum.argmax()) - 440) <= 2
    assert np.sqrt((made[500:3_500] ** 2).mean()) == pytest.approx(0.2 / 2**0.5, rel=0.05)


def test_what_lies_above_half_the_new_rate_does_not_come_back_lower(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(7_000, rate=44_100), 44_100)
    made = wave_of(decode(tmp_path / "a.wav", **PLAIN))
    assert np.sqrt((made[500:3_000] ** 2).mean()) < 0.01


def test_loudness_is_made_equal_and_silence_at_the_ends_is_cut(tmp_path):
    quiet = 0.01 * tone(440)
    padded = np.concatenate([np.zeros(2_000), quiet, np.zeros(1_000)])
    soundfile.write(tmp_path / "a.wav", padded, 8_000, subtype="PCM_24")
    made = wave_of(decode(tmp_path / "a.wav", **{**PLAIN, "level": True, "trim": 40.0}))
    assert len(quiet) <= len(made) <= len(quiet) + 400
    assert np.sqrt((made[200:3_000] ** 2).mean()) == pytest.approx(LEVEL, rel=0.05)


def test_a_long_recording_is_read_window_by_window(tmp_path, monkeypatch):
    minute = np.concatenate([np.full(8_000, level) for level in np.linspace(0, 0.9, 70)])
    soundfile.write(tmp_path / "a.wav", minute, 8_000)
    asked = []
    plain = recordings._read
    monkeypatch.setattr(recordings, "_read", lambda *a: asked.append(a[3]) or plain(*a))
    made = wave_of(decode(tmp_path / "a.wav", **{**PLAIN, "windows": 3}))
    assert asked == [8_000] * 3  # never the whole
    assert made[4_000] == pytest.approx(0, abs=0.01)
    assert made[12_000] == pytest.approx(0.45, abs=0.02)
    assert made[20_000] == pytest.approx(0.9, abs=0.01)


def damaged(folder):
    """Files that must each be named, and a word of why."""
    soundfile.write(folder / "good.wav", tone(440), 8_000)
    good = (folder / "good.wav").read_bytes()
    (folder / "truncated.wav").write_bytes(good[:2_000])
    soundfile.write(folder / "nothing.wav", np.zeros(0), 8_000)
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("this is no recording " * 20)
    wave = tone(440)
    wave[100] = np.nan
    soundfile.write(folder / "nan.wav", wave, 8_000, subtype="FLOAT")
    (folder / "rate.wav").write_bytes(good[:24] + struct.pack("<I", 44_100) + good[28:])
    zero = struct.pack("<II", 3, 6)
    (folder / "zero.wav").write_bytes(good[:24] + zero + good[32:])
    soundfile.write(folder / "whole.flac", tone(440, seconds=5), 8_000)
    flac = (folder / "whole.flac").read_bytes()
    (folder / "whole.flac").unlink()
    (folder / "cut.flac").write_bytes(flac[: len(flac) // 2])
    return {
        "truncated.wav": "truncated",
        "nothing.wav": "length is 0",
        "empty.wav": "empty",
        "text.wav": "no known format",
        "nan.wav": "sample 100 is nan",
        "rate.wav": "44,100",
        "zero.wav": "3 samples a second",
        "cut.flac": "flac|truncated|sync",
    }


def test_each_damaged_file_is_named_with_its_reason(tmp_path):
    for name, reason in damaged(tmp_path).items():
        with pytest.raises(Unreadable, match=reason) as caught:
            decode(tmp_path / name, **PLAIN)
        assert name in str(caught.value)
    with pytest.raises(Unreadable, match="no such file"):
        decode(tmp_path / "absent.wav", **PLAIN)


def test_inspect_lists_what_is_damaged_and_tells_rates_and_lengths(tmp_path):
    reasons = damaged(tmp_path)
    found = audit(open_dataset(str(tmp_path)))
    train = found["splits"]["train"]
    assert {bad["name"].rsplit("/", 1)[1] for bad in train["bad"]} == set(reasons)
    assert found["kind"] == "audio"
    assert train["recorded"]["8,000 Hz mono PCM_16"] >= 1
    assert train["seconds"]["longest"] == pytest.approx(5)


def test_inspect_finds_a_recording_that_is_there_twice(tmp_path):
    tones(tmp_path / "all", count=3)
    copy = tmp_path / "all/high/copy.wav"
    copy.write_bytes((tmp_path / "all/high/0.wav").read_bytes())
    found = audit(open_dataset(str(tmp_path / "all")))
    assert found["duplicates"]["exact"]["count"] == 1


def test_class_folders_metadata_and_manifests_are_read(tmp_path):
    folder = tones(tmp_path / "all", count=2)
    dataset = open_dataset(str(folder))
    assert dataset.kind == "audio"
    assert sorted(dataset.train.targets.tolist()) == ["high", "high", "low", "low"]
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "x.wav").write_bytes((folder / "low/0.wav").read_bytes())
    (flat / "metadata.csv").write_text("file_name,pitch\nx.wav,300\n")
    assert open_dataset(str(flat)).train.targets.tolist() == [300]
    (tmp_path / "list.csv").write_text("file,digit\nall/low/0.wav,3\nall/high/1.wav,7\n")
    listed = open_dataset(str(tmp_path / "list.csv"))
    assert listed.kind == "audio"
    assert listed.train.targets.tolist() == [3, 7]
    samples, kind = open_inputs(folder / "low/0.wav")
    assert (len(samples), kind) == (1, "audio")
    samples, kind = open_inputs(folder / "low")
    assert (len(samples), kind) == (2, "audio")


def test_pictures_and_recordings_in_one_manifest_are_refused(tmp_path):
    for name in ("a.wav", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "list.csv").write_text("file,digit\na.wav,3\nb.png,7\n")
    with pytest.raises(UserError, match=r"recordings .a\.wav. and other files .b\.png"):
        open_dataset(str(tmp_path / "list.csv"))


def test_splits_never_part_a_group(tmp_path):
    folder = tones(tmp_path / "all", count=12)
    rows = [
        f"{path.relative_to(tmp_path)},{path.parent.name},s{i % 6}"
        for i, path in enumerate(sorted(folder.rglob("*.wav")))
    ]
    (tmp_path / "list.csv").write_text("file,pitch,speaker\n" + "\n".join(rows) + "\n")
    dataset = open_dataset(str(tmp_path / "list.csv"), group="speaker")
    assert dataset.target_name == "pitch"
    apart = ensure_test(dataset, 0)
    names = sorted(set(apart.splits["test"].groups.tolist()))
    assert f"all those of {', '.join(names)}, {len(names)} of 6 groups (seed 0)" in apart.notes[-1]
    for seed in range(5):
        kept, held = cut(dataset.train, 0.2, seed)
        speakers = [set(dataset.train.take(rows).groups.tolist()) for rows in (kept, held)]
        assert not speakers[0] & speakers[1]
        assert len(kept) + len(held) == 24
        assert 4 <= len(held) <= 8
    chosen = choose(dataset.train, classes=True, labels=None, per_class=None, seed=0, share=0.3)
    speakers = [
        set(dataset.train.take(r).groups.tolist()) for r in (chosen.train, chosen.validation)
    ]
    assert speakers[0]
    assert speakers[1]
    assert not speakers[0] & speakers[1]
    unequal = Samples(np.zeros(100), groups=np.array(["a"] * 90 + ["b"] * 5 + ["c"] * 5))
    assert all(len(cut(unequal, 0.2, seed)[1]) == 10 for seed in range(5))
    with pytest.raises(UserError, match="no column 'who'"):
        open_dataset(str(tmp_path / "list.csv"), group="who")


def test_tables_and_metadata_can_be_grouped_too(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,who,label\n" + "1,2,x,0\n3,4,y,1\n" * 5)
    dataset = open_dataset(str(tmp_path / "t.csv"), group="who")
    assert dataset.train.inputs.dtype.names == ("a", "b")
    assert set(dataset.train.groups.tolist()) == {"x", "y"}
    folder = tones(tmp_path / "all", count=1)
    table = "file_name,who\nlow/0.wav,x\nhigh/0.wav,y\n"
    (folder / "metadata.csv").write_text(table)
    assert set(open_dataset(str(folder), group="who").train.groups.tolist()) == {"x", "y"}


@pytest.mark.parametrize("empty", ["", "  ", "NA"])
def test_what_nobody_knows_the_group_of_is_named_and_not_taken_for_a_group(tmp_path, empty):
    """A sample without a speaker may be any speaker's: put with others or apart, it could leak."""
    folder = tones(tmp_path / "all", count=2)
    speakers = {"low/0": "x", "low/1": empty, "high/0": "y", "high/1": empty}
    rows = [f"{name}.wav,{who}" for name, who in speakers.items()]
    (folder / "metadata.csv").write_text("file_name,who\n" + "\n".join(rows) + "\n")
    with pytest.raises(UserError, match=r"2 of 4 rows of train \(high/1.wav; low/1.wav\)"):
        open_dataset(str(folder), group="who")
    (folder / "metadata.csv").write_text("file_name,who\n" + "\n".join(rows[:3]) + "\n")
    with pytest.raises(UserError, match=r"high/1.wav"):  # a file that no row names
        open_dataset(str(folder), group="who")

    listed = ["file,who,pitch", *(f"all/{row},{i % 2}" for i, row in enumerate(rows))]
    (tmp_path / "list.csv").write_text("\n".join(listed) + "\n")
    with pytest.raises(UserError, match=r"list.csv, line 3; .*list.csv, line 5") as error:
        open_dataset(str(tmp_path / "list.csv"), group="who")
    assert "a name of its own" in error.value.hints[0]

    numbers = ["a,who,label", "1,7,0", f"2,{empty},1", "3,8,0", f"4,{empty},1", "5,8,1"]
    (tmp_path / "t.csv").write_text("\n".join(numbers) + "\n")
    with pytest.raises(UserError, match=r"2 of 5 rows of train \(t.csv:3; t.csv:5\)"):
        open_dataset(str(tmp_path / "t.csv"), group="who")


def test_rows_that_no_split_is_cut_from_need_no_group(tmp_path):
    rows = ["a,who,label,split", "1,x,0,train", "2,y,1,train", "3,,0,test", "4,,1,test"]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    dataset = open_dataset(str(tmp_path / "t.csv"), group="who")
    assert dataset.train.groups.tolist() == ["x", "y"]
    assert len(dataset.splits["test"]) == 2


def test_a_long_recording_is_many_pieces_that_are_all_of_it(tmp_path):
    minute = np.repeat(np.linspace(0.1, 0.9, 9), 4_000).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", minute, 8_000)
    soundfile.write(tmp_path / "short.wav", tone(440), 8_000)
    files = open_dataset(str(tmp_path)).train.inputs
    pieces = recordings.cut(files, 0.5)
    assert len(pieces) == 10
    assert pieces.label(1) == "long.wav/0.5 s"
    rows = [decode(p, **{**PLAIN, "window": 4_000}, pieces=True) for p in pieces]
    whole = np.concatenate([wave_of(row) for row in rows[:9]])
    np.testing.assert_allclose(whole, minute, atol=1e-3)
    assert recordings.cut(files.take(np.array([1])), 0.5)[0] == files[1]  # nothing to cut
    # 4.5 s in windows of 2 s: three pieces, for two would be longer than is looked at.
    assert len(recordings.cut(files.take(np.array([0])), 2.0)) == 3
    assert recordings.longer_than(files, 2.0).tolist() == [0]


def test_a_piece_that_is_whole_is_trimmed_as_asked(tmp_path):
    quiet = np.concatenate([np.zeros(2_000, np.float32), tone(440)])
    soundfile.write(tmp_path / "a.wav", quiet, 8_000)
    piece = Range(str(tmp_path / "a.wav"), 0, 0, "whole")
    settings = {**PLAIN, "window": 2 * len(quiet), "pieces": True}
    assert len(wave_of(decode(piece, **settings))) == len(quiet)
    assert len(wave_of(decode(piece, **{**settings, "trim": 40.0}))) < len(quiet)
