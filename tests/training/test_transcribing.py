"""Training whose loss has a lead: by two processes, and interrupted while it fades."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from forks import Killer, said, together
from headstart.data.sources import open_dataset
from headstart.errors import InterruptedRunError
from headstart.runs.folder import RunFolder
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.request import config_of
from samples import curve
from sounds import strings

RAW = {
    "validation_share": 0.2,
    "task": {"name": "transcription", "flat_start": 0.8, "dropout": 0.0},
    "backbone": {"name": "ast", "size": "mini"},
    "training": {
        "duration": "8 steps", "batch_size": 8, "threads": 1, "optimizer": "sgd", "lr": 0.01,
        "checkpoint_every": "2 steps", "validate_every": "4 steps",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    source = strings(tmp_path_factory.mktemp("strings"), count=40)
    return open_dataset(str(source), target="said", group="speaker")


def train(path, dataset, *, resume=False, display=None):
    torch.set_num_threads(1)
    with RunFolder.create(path, resume=resume, overwrite=False) as folder:
        config = config_of(FinetuneConfig, RAW)
        return finetune(config, folder, dataset=dataset, resume=resume, display=display)


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    train(path, dataset)
    leads = [
        json.loads(line)["train"]["lead"]
        for line in (path / "progress.jsonl").read_text().splitlines()
        if "train" in line and "lead" in line
    ]
    assert leads[0] > 0
    return path


def test_two_processes_train_the_curve_of_one(whole, dataset, tmp_path):
    assert together(lambda _: train(tmp_path / "two", dataset), tmp_path) == [0, 0], said(tmp_path)
    np.testing.assert_allclose(curve(tmp_path / "two"), curve(whole), rtol=1e-3, atol=1e-5)


def test_it_goes_on_to_the_same_weights(whole, dataset, tmp_path):
    with pytest.raises(InterruptedRunError):
        train(tmp_path / "cut", dataset, display=Killer())
    train(tmp_path / "cut", dataset, resume=True)
    ours, theirs = (load_file(path / "model.safetensors") for path in (whole, tmp_path / "cut"))
    for key, value in ours.items():
        assert torch.equal(theirs[key], value)
