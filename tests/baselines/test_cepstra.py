import numpy as np
import torch
from scipy.fft import dct
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from headstart.baselines.base import fit
from headstart.baselines.recordings import MultilabelSVM, cosines
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


def test_machines_of_several_labels_are_scikit_learn_s_one_a_label():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4))
    y = np.column_stack([x[:, 0] > 0, x[:, 1] > 0.5, np.ones(60), np.zeros(60)]).astype(np.float32)
    new = rng.normal(size=(40, 4))
    said = MultilabelSVM(0).fit(x, y).predict_proba(new)
    for k in (0, 1):
        theirs = make_pipeline(StandardScaler(), SVC(C=10.0)).fit(x, y[:, k]).predict(new)
        assert ((said[:, k] > 0.5) == theirs).all()
    assert said[:, 2].tolist() == [1.0] * 40  # what all have, and what none has
    assert said[:, 3].tolist() == [0.0] * 40
