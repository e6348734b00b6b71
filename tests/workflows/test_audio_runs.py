import numpy as np
import pytest
import soundfile

import headstart as hs
from sounds import tone, tones

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


@pytest.fixture(scope="module")
def strings(tmp_path_factory):
    """Two or three tones after one another, and which they were."""
    folder = tmp_path_factory.mktemp("strings")
    generator = np.random.default_rng(0)
    rows = ["file,said,speaker"]
    for i in range(60):
        names = generator.choice(["low", "high"], size=int(generator.integers(2, 4)))
        parts = [np.zeros(800, np.float32)]
        for name in names:
            wave = tone({"low": 300, "high": 1_500}[name], 0.2, seed=i)
            parts += [wave, np.zeros(int(generator.integers(400, 1_600)), np.float32)]
        soundfile.write(folder / f"{i}.wav", np.concatenate(parts), 8_000)
        rows.append(f"{i}.wav,{' '.join(names)},s{i % 5}")
    (folder / "said.csv").write_text("\n".join(rows) + "\n")
    return folder / "said.csv"


def test_what_is_said_is_written_down_with_times(strings, tmp_path):
    model = hs.finetune(
        str(strings), target="said", group="speaker", task="transcription", backbone=SMALL, steps=140,
        batch_size=8, lr=5e-3, out=tmp_path / "run",
    )  # fmt: skip
    test = model.result["test"]
    assert test["unit_error_rate"] < 0.2
    assert test["unit_error_rate"] == test["word_error_rate"]
    assert test["n"] == 12  # one speaker of five
    answers = model.predict(strings.with_name("0.wav"))
    words = answers["text"][0].split()
    begins = [float(t.split("-")[0]) for t in answers["times"][0].split()[1::2]]
    assert len(begins) == len(words)
    assert begins == sorted(begins)
