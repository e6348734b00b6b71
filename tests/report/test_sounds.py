import base64
import io

import numpy as np
import pytest
import soundfile
import torch

import headstart as hs
from headstart.report import build
from headstart.report.sounds import played
from sounds import tone, tones


def test_what_is_played_is_the_recording_made_louder():
    wave = 0.01 * torch.from_numpy(tone(440))
    head, data = played(wave, 8_000).split(",")
    assert head == "data:audio/wav;base64"
    back, rate = soundfile.read(io.BytesIO(base64.b64decode(data)))
    assert rate == 8_000
    assert np.corrcoef(back, wave)[0, 1] > 0.999
    assert np.sqrt((back**2).mean()) == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize("objective", ["autoencoder", None])
def test_the_page_plays_recordings(tmp_path, objective):
    folder = tones(tmp_path / "all", count=6)
    if objective:
        run = hs.pretrain(str(folder), objective=objective, steps=2, out=tmp_path / "run")
    else:
        run = hs.finetune(str(folder), steps=1, out=tmp_path / "run")
    page = build(run.path).read_text()
    assert "What augmentation makes of recordings" in page
    assert page.count("<audio controls") >= 6
    assert ("Inputs and reconstructions" in page) == bool(objective)
