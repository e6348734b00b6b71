import numpy as np
import pytest
import soundfile
import torch

import headstart as hs
from headstart import backbones, modalities
from headstart.settings import Faults
from headstart.types import Batch
from headstart.workflows import answer, assemble
from headstart.workflows.config import DataConfig
from sounds import strings, tone, tones

SMALL = {"name": "audioconv", "widths": [8, 16, 32], "dim": 64}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tones(tmp_path_factory.mktemp("sounds") / "all", count=20)


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    encoder = hs.pretrain(
        str(folder), objective="wav2vec", backbone=SMALL, steps=4, batch_size=16, out=out / "a"
    )
    return hs.finetune(str(folder), start=encoder, steps=25, batch_size=16, out=out / "b")


def test_pitches_are_told_apart(model):
    assert model.result["test"]["accuracy"] == 1.0


def test_rate_channels_and_bits_do_not_change_the_answer(model, tmp_path):
    for name, pitch in (("low", 300), ("high", 1_500)):
        files = []
        for rate, channels, bits in (
            (8_000, 1, "PCM_16"),
            (44_100, 2, "PCM_16"),
            (16_000, 1, "PCM_24"),
        ):
            wave = tone(pitch, rate=rate)
            files.append(tmp_path / f"{name}-{rate}.wav")
            soundfile.write(files[-1], np.stack([wave] * channels, 1), rate, subtype=bits)
        assert model.predict(files)["label"].tolist() == [name] * 3


def test_an_encoder_embeds_recordings(model, folder):
    assert model.embed(str(folder / "low")).shape[0] == 20


def test_other_recordings_need_not_say_which_column_is_the_target(model, folder, tmp_path):
    rows = [f"{file},a,b" for file in sorted(folder.rglob("*.wav"))[:3]]
    (tmp_path / "new.csv").write_text("\n".join(["file,digit,speaker", *rows]) + "\n")
    data = DataConfig(path=str(tmp_path / "new.csv"))
    found = answer.open_for(model._loaded, data).train
    assert len(found) == 3
    assert found.targets is None
    with pytest.raises(hs.UserError, match="several columns that could be the target"):
        model.evaluate(str(tmp_path / "new.csv"))


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    return strings(tmp_path_factory.mktemp("strings"))


@pytest.fixture(scope="module")
def too_long(said, tmp_path_factory):
    """The same, and two texts that no network could write in so short a time."""
    folder = tmp_path_factory.mktemp("long")
    rows = said.read_text().splitlines()
    for i, name in enumerate(("short", "shorter")):
        soundfile.write(folder / f"{name}.wav", tone(300, 0.3 - 0.1 * i), 8_000)
        rows.append(f"{name}.wav,{'high ' * 20}low,s0")
    soundfile.write(folder / "heard.wav", tone(300, 0.3), 8_000)
    rows.append(f"heard.wav,{'low ' * 20}high,s1")
    rows = [f"{said.parent}/{row}" if row[0].isdigit() else row for row in rows]
    table = [f"{row},{'test' if ',s1' in row else 'train'}" for row in rows[1:]]
    (folder / "said.csv").write_text("\n".join([f"{rows[0]},split", *table]) + "\n")
    return folder / "said.csv"


@pytest.mark.parametrize(
    ("backbone", "features"),
    [
        (SMALL, "mel"),
        ({"name": "ast", "size": "mini"}, "mel"),
        ({"name": "wave"}, "wave"),
        ({"name": "conv", "widths": [8, 16]}, "mel"),
    ],
)
def test_frames_are_counted_as_the_network_gives_them(backbone, features, folder):
    faults = Faults()
    data = assemble.open_data(DataConfig(path=str(folder)))
    asked = {"features": features, "window": 0.4, "windows": 1 if backbone["name"] == "conv" else 3}
    part = assemble.component(modalities.table, asked, "audio", "modality", faults)
    chosen = assemble.component(backbones.table, backbone, "", "backbone", faults)
    faults.raise_if_any()
    modality = assemble.fitted_modality(data, part)
    encoder = assemble.build_backbone(chosen, modality.spec, 0).eval()
    batch = Batch(modality.prepare(modality.tensor(data.train)[0][::4]))
    features = encoder(batch)
    there = torch.ones(features.tokens.shape[:2]) if features.mask is None else features.mask
    assert encoder.frames(batch).tolist() == there.sum(dim=1).tolist()


def test_texts_longer_than_their_frames_are_named_before_training(too_long, tmp_path):
    def tried(**more):
        return hs.finetune(
            str(too_long), target="said", task="transcription", backbone=SMALL, steps=3,
            batch_size=8, validation_share=0.0, out=tmp_path / "run", **more,
        )  # fmt: skip

    with pytest.raises(hs.UserError, match=r"short.wav .* 103 characters take 40 frames") as error:
        tried()
    assert not (tmp_path / "run").exists()
    told = " ".join(error.value.hints)
    assert "2 of 50 samples of train" in told
    assert "--on-bad skip" in told
    run = tried(on_bad="skip")
    left_out = run.result["skipped"]["train"]
    assert [name.rsplit("/")[-1] for name in left_out] == ["short.wav", "shorter.wav"]
    assert run.result["labels"] == 48
    assert run.result["test"]["n"] == 13  # what judges stays, and is told of
    assert any("test: 1 of 13 texts take more frames" in note for note in run.result["notes"])


def test_recordings_that_are_heard_in_part_are_named_or_left_out(said, tmp_path):
    def tried(**more):
        return hs.finetune(
            str(said), target="said", group="speaker", task="transcription", backbone=SMALL, steps=2,
            batch_size=8, modality={"window": 0.8, "windows": 1}, out=tmp_path / "run", **more,
        )  # fmt: skip

    lasting = [soundfile.info(file).duration for file in said.parent.glob("*.wav")]
    assert min(lasting) < 0.8 < max(lasting)
    with pytest.raises(hs.UserError, match="is longer than what is heard of a recording"):
        tried()
    assert not (tmp_path / "run").exists()
    left_out = tried(on_bad="skip").result["skipped"]["train"]
    assert left_out
    for name in left_out:
        assert soundfile.info(said.parent / name).duration > 0.8


def test_what_is_said_is_written_down_with_times(said, tmp_path):
    model = hs.finetune(
        str(said), target="said", group="speaker", task="transcription", backbone=SMALL, steps=140,
        batch_size=8, lr=5e-3, out=tmp_path / "run",
    )  # fmt: skip
    test = model.result["test"]
    assert test["unit_error_rate"] < 0.2
    assert test["unit_error_rate"] == test["word_error_rate"]
    assert test["n"] == 12  # one speaker of five
    answers = model.predict(said.with_name("0.wav"))
    words = answers["text"][0].split()
    begins = [float(t.split("-")[0]) for t in answers["times"][0].split()[1::2]]
    assert len(begins) == len(words)
    assert begins == sorted(begins)
