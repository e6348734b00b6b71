import numpy as np
import pytest
import soundfile

import headstart as hs
from sounds import tone, tones


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tones(tmp_path_factory.mktemp("sounds") / "all", count=20)


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    encoder = hs.pretrain(str(folder), objective="simclr", steps=3, batch_size=16, out=out / "a")
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
