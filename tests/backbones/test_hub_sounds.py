"""Public encoders of recordings equal transformers' own extractor and forward pass."""

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")
soundfile = pytest.importorskip("soundfile")

import headstart as hs
from headstart import backbones, modalities
from headstart.data.dataset import Samples
from headstart.data.files import of_paths
from headstart.data.hearing import HEAD
from headstart.settings import Faults
from headstart.types import Batch
from headstart.workflows import assemble
from public import SOUNDS, sound_model


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Tones of two pitches and several lengths, one second at most."""
    folder = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(0)
    for i in range(16):
        place = folder / ("high" if i % 2 else "low")
        place.mkdir(exist_ok=True)
        time = np.arange(6_000 + 600 * i) / 16_000
        wave = np.sin(2 * np.pi * (880 if i % 2 else 220) * time) + 0.1 * rng.normal(size=len(time))
        soundfile.write(place / f"{i}.wav", 0.3 * wave, 16_000)
    return folder


def built(folder, samples):
    faults = Faults()
    backbone = assemble.component(
        backbones.table, {"name": f"hub:{folder}"}, "", "backbone", faults
    )
    plain = assemble.component(modalities.table, {}, "audio", "modality", faults)
    chosen = assemble.suited(plain, backbone, {}, faults)
    faults.raise_if_any()
    modality = chosen.cls.fit(samples, chosen.config)
    said = []
    encoder = assemble.build_backbone(backbone, modality.spec, 0, said.append).eval()
    assert "tensors match" in said[0]
    return modality, encoder


@pytest.mark.parametrize("kind", SOUNDS)
def test_recordings_are_heard_as_transformers_does(kind, recordings, tmp_path):
    model, extractor = sound_model(tmp_path, kind)
    samples = Samples(of_paths(sorted(recordings.rglob("*.wav"))[:5], ""))
    modality, encoder = built(tmp_path, samples)
    x = modality.prepare(modality.tensor(samples)[0])
    waves = [
        wave[: int(wave.nonzero().max()) + 1].numpy()
        for wave in modality.tensor(samples)[0][:, HEAD:].float() / 32_767
    ]
    assert len({len(w) for w in waves}) > 1
    with torch.no_grad():
        counted = encoder(Batch(x)).mask.sum(dim=1)
        assert encoder.frames(Batch(x)).tolist() == counted.tolist()
    options = {} if kind in ("whisper", "audio-spectrogram-transformer") else {"padding": True}
    reader = model.get_encoder() if kind == "whisper" else model
    with torch.no_grad():
        found = encoder(Batch(x))
        alone = [
            reader(**extractor([wave], sampling_rate=16_000, return_tensors="pt", **options))
            for wave in waves
        ]
    for i, wanted in enumerate(alone):  # whatever else is in its batch
        told = wanted.last_hidden_state[0]
        torch.testing.assert_close(found.tokens[i, : len(told)], told, rtol=1e-4, atol=1e-5)
    wanted = alone[0]
    if kind == "audio-spectrogram-transformer":
        torch.testing.assert_close(found.pooled[:1], wanted.pooler_output)
    else:
        many = found.mask.sum(1)
        assert many.min() < many.max()
        first = wanted.last_hidden_state[0, : many[0]].mean(0)
        torch.testing.assert_close(found.pooled[0], first)
    assert found.pooled.shape == (5, encoder.dim)


def test_every_weight_that_moves_is_reached_by_a_gradient(recordings, tmp_path):
    sound_model(tmp_path, "wavlm")
    samples = Samples(of_paths(sorted(recordings.rglob("*.wav"))[:3], ""))
    modality, encoder = built(tmp_path, samples)
    found = encoder.train()(Batch(modality.prepare(modality.tensor(samples)[0])))
    found.pooled.square().sum().backward()
    assert [n for n, p in encoder.named_parameters() if p.requires_grad and p.grad is None] == []
    parts = [p for layer in encoder.layers() for p in layer.parameters()]
    assert set(parts) == set(encoder.parameters())


def test_a_run_on_recordings(recordings, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    sound_model(folder)
    run = hs.finetune(recordings, backbone=f"hub:{folder}", steps=2, out=tmp_path / "run")
    assert len(run.predict([str(p) for p in sorted(recordings.rglob("*.wav"))[:3]])["label"]) == 3
