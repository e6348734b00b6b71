import numpy as np
import torch
from scipy.fft import dct

from headstart.baselines.base import fit
from headstart.baselines.recordings import cosines
from headstart.data.sources import open_dataset
from headstart.modalities.audio import Audio, AudioConfig
from headstart.tasks.classification import Classification, ClassificationConfig
from sounds import tones


def test_the_transform_is_scipy_s():
    x = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    made = cosines(40, torch.from_numpy(x)).numpy() @ x
    np.testing.assert_allclose(made, dct(x, type=2, norm="ortho", axis=0)[:20], atol=1e-5)


def test_pitches_are_told_apart(tmp_path):
    train = open_dataset(str(tones(tmp_path / "train", count=6))).train
    test = open_dataset(str(tones(tmp_path / "test", count=4))).train
    modality = Audio.fit(train, AudioConfig())
    state = Classification.fit(ClassificationConfig(), train.targets)
    task = Classification(ClassificationConfig(), 4, state)
    outputs = fit("mfcc", train, modality, task, seed=0).outputs(test)
    assert task.figures(outputs, task.encode(test.targets, "test"))["accuracy"] == 1.0
