import math
import os
import signal
import time

import pytest
import torch
from safetensors.torch import load_file

import headstart as hs
from forks import begun, ended, is_over
from headstart.cli import main
from headstart.data.loader import Order
from headstart.errors import InterruptedRunError
from headstart.runs.folder import RunFolder
from headstart.training.config import TrainingConfig
from headstart.workflows.config import PretrainConfig
from headstart.workflows.pretrain import pretrain
from headstart.workflows.request import config_of

RAW = {
    "data": {"path": "digits"},
    "backbone": {"name": "mlp", "widths": [32, 8]},
    "objective": {"name": "denoising"},
    "training": {"duration": "60 steps", "checkpoint_every": "10 steps", "ema": 0.9},
}


def weights(folder):
    return load_file(folder / "model.safetensors")


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_epochs_are_permutations_laid_end_to_end():
    order = Order(13, seed=5)
    taken = torch.cat([order.take(p, 7) for p in range(0, 91, 7)])
    for epoch in taken.view(7, 13):
        assert sorted(epoch.tolist()) == list(range(13))
    assert torch.equal(Order(13, seed=5).take(29, 9), order.take(29, 9))
    assert not torch.equal(Order(13, seed=6).take(0, 13), order.take(0, 13))


class StopAfter:
    """A display that sends this process a signal."""

    def __init__(self, progress):
        self.progress = progress

    def update(self, progress, text):
        if progress >= self.progress:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("at", [0.1, 0.5, 0.95])
def test_interrupted_and_resumed_is_bit_identical(tmp_path, at):
    config = config_of(PretrainConfig, RAW)
    with RunFolder.create(tmp_path / "whole", resume=False, overwrite=False) as folder:
        whole = pretrain(config, folder)
    with (
        RunFolder.create(tmp_path / "cut", resume=False, overwrite=False) as folder,
        pytest.raises(InterruptedRunError) as caught,
    ):
        pretrain(config, folder, display=StopAfter(at))
    assert caught.value.exit_code == 143
    with RunFolder.create(tmp_path / "cut", resume=True, overwrite=False) as folder:
        again = pretrain(config, folder, resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))
    assert whole["val"] == again["val"]


def test_killed_and_resumed_is_bit_identical(tmp_path):
    command = [
        "pretrain", "digits", "--no-report", "--backbone", "mlp", "--quiet", "--steps", "160",
        "--set", "backbone.widths=[64,16]", "--set", "training.checkpoint_every=10 steps",
        "--set", "training.threads=1",
    ]  # fmt: skip
    cut = tmp_path / "cut"
    pid = begun(lambda: main([*command, "--out", str(cut)]), tmp_path / "said")
    while not list(cut.glob("checkpoints/step-*")) and not is_over(pid):
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    assert ended(pid) == -signal.SIGKILL, (tmp_path / "said").read_text()
    assert not (cut / "result.json").exists()
    assert main([*command, "--out", str(cut), "--resume"]) == 0
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    assert same(weights(tmp_path / "whole"), weights(cut))


def test_resume_refuses_changed_settings(tmp_path):
    run = hs.pretrain("digits", steps=5, backbone="mlp", out=tmp_path / "r")
    with pytest.raises(hs.UserError, match=r"training\.lr"):
        hs.pretrain("digits", steps=5, backbone="mlp", out=run.path, resume=True, lr=0.5)


def test_a_step_that_is_not_a_number_never_reaches_the_weights():
    from headstart.data.loader import Resident
    from headstart.parts.learner import Learner
    from headstart.settings import Duration
    from headstart.training.engine import Engine
    from headstart.types import Step

    class Poisoned(Learner):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(2))
            self.seen = []

        def forward(self, batch, *, player, progress):
            self.seen.append(self.w.detach().clone())
            loss = (self.w * batch.x.mean()).sum()
            return Step(loss * math.nan if len(self.seen) == 3 else loss, len(batch))

    class Plain:
        def prepare(self, x):
            return x

        augment = prepare

    learner = Poisoned()
    engine = Engine(
        learner, TrainingConfig(), Resident(torch.ones(8, 2)), Plain(),
        duration=Duration(6, "steps"), batch_size=4, seed=0,
    )  # fmt: skip
    at = engine.fit()
    assert at.skipped == 1
    assert torch.equal(learner.seen[2], learner.seen[3])
    assert torch.isfinite(learner.w).all()
