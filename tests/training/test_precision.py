"""Networks compute in bfloat16; weights, losses and what is judged stay float32."""

import copy
import os
import signal

import pytest
import torch

from headstart import backbones, objectives
from headstart.backbones.framed import Framed
from headstart.errors import InterruptedRunError
from headstart.runs.folder import RunFolder
from headstart.tasks.self_training import SelfTraining, SelfTrainingConfig
from headstart.training import precision
from headstart.training.watching import Validation, Watcher
from headstart.types import Batch, Features
from samples import backbone, config_of, engine, identical, objective, supervised, weights


def seen_inside(learner):
    """What the encoder's last product comes in, call by call, and what the encoder gives."""
    found, outer = [], learner.encoder
    inner = [m for m in outer.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)][-1]
    inner.register_forward_hook(lambda m, i, out: found.append(("inside", out.dtype)))
    outer.register_forward_hook(lambda m, i, out: found.append(("given", out.pooled.dtype)))
    return found


def test_networks_compute_in_bfloat16_and_give_float32():
    learner = supervised(pretrained=False)
    found = seen_inside(learner)
    made = engine(learner, 3, precision="bf16")
    made.validation = Validation(
        lambda: {"loss": float(learner.score(made.plain(*made.data.at(0, 32)))["loss"])},
        "loss", "min",
    )  # fmt: skip
    made.fit()
    trained, judged = found[:6], found[6:]
    assert trained == [("inside", torch.bfloat16), ("given", torch.float32)] * 3
    assert judged == [("inside", torch.float32), ("given", torch.float32)] * (len(judged) // 2)
    assert judged
    kept = [*learner.parameters(), *learner.buffers()]
    states = [v for state in made.optimisers["all"].state.values() for v in state.values()]
    assert {t.dtype for t in (*kept, *states) if t.is_floating_point()} == {torch.float32}
    assert made.summary()["precision"] == "bf16"
    assert not any("forward" in vars(part) for part in learner.modules())


def test_it_learns_as_float32_does():
    losses = []
    for choice in ("fp32", "bf16"):
        made = engine(objective(encoder=backbone("conv", widths=[8, 16])), 40, precision=choice)
        made.fit()
        losses.append(made.at.last_loss)
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


ON_PICTURES = [
    name
    for name in objectives.table
    if "continuous" in objectives.table.load(name).reads
    and issubclass(backbones.table.load("conv"), objectives.table.load(name).needs)
]


@pytest.mark.parametrize("name", ON_PICTURES)
def test_every_objective_trains_in_bfloat16(name):
    made = engine(objective(name), 3, precision="bf16")
    before = weights(made.learner)
    made.fit()
    assert made.at.skipped == 0
    assert torch.isfinite(torch.tensor(made.at.last_loss))
    assert not identical(before, weights(made.learner))


def test_patches_that_are_seen_are_encoded_in_bfloat16():
    learner = objective("masked", encoder=backbone("vit", size="mini", patch=2))
    found = seen_inside(learner)
    engine(learner, 1, precision="bf16").fit()
    assert found == [("inside", torch.bfloat16)]  # by `encode`, which is not its forward


def test_both_halves_of_what_hears_recordings_compute_in_bfloat16():
    """Objectives call them one by one (wav2vec hides what lies between)."""
    halves = set(Framed.__abstractmethods__) - {"__init__", "layers"}
    assert halves == {"local", "surrounded"}
    assert halves <= set(precision._CALLS)


class Stop(Watcher):
    """Sends this process a signal after so many steps."""

    def on_log(self, record):
        if record["step"] == 6 and "train" in record:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_resumed_run_ends_in_the_same_bits(tmp_path):
    def made(**more):
        encoder = backbone("conv", widths=[8, 16])
        return engine(objective("simclr", encoder=encoder), 12, precision="bf16", **more)

    whole = made()
    whole.fit()
    with RunFolder.create(tmp_path / "r", resume=False, overwrite=False) as folder:
        with pytest.raises(InterruptedRunError):
            made(folder=folder, watchers=[Stop()]).fit()
        again = made(folder=folder)
        again.fit(resume=True)
    assert identical(weights(whole.learner), weights(again.learner))


def test_a_copy_of_a_network_calls_itself():
    learner = supervised(pretrained=False)
    precision.Precision(learner, torch.device("cpu"), "bf16")
    twin = copy.deepcopy(learner.encoder)
    x = Batch(torch.randn(4, 1, 8, 8))
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
        assert float(twin(x).pooled.abs().max()) == 0.0
        assert float(learner.encoder(x).pooled.abs().max()) > 0.0


def test_networks_are_the_outermost_modules_that_are_no_learners():
    learner = supervised(pretrained=False)
    assert list(precision.networks(learner)) == [learner.encoder, learner.task.head]
    taught = objective("byol")
    inside = [taught.target["encoder"], taught.target["projector"]]
    assert all(any(n is one for n in precision.networks(taught)) for one in inside)


def test_what_networks_give_is_made_float32_however_it_is_wrapped():
    half = torch.ones(2, dtype=torch.bfloat16)
    whole = precision.floats([{"a": half}, (half, 3), Features(half, mask=half > 0)])
    assert whole[0]["a"].dtype == whole[1][0].dtype == whole[2].pooled.dtype == torch.float32
    assert whole[2].mask.dtype == torch.bool
    assert whole[2].tokens is None


def test_auto_is_bfloat16_where_cuda_has_it(monkeypatch):
    for has in (True, False):
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True, has=has: has
        )
        assert precision.suits(torch.device("cuda")) is has
    assert not precision.suits(torch.device("cpu"))


def test_emulated_bfloat16_is_said(monkeypatch):
    heard = []
    for capability in ("AVX2", "AVX512"):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda c=capability: c)
        monkeypatch.setattr("platform.machine", lambda: "x86_64")
        engine(supervised(), precision="bf16", say=heard.append)
    assert len(heard) == 1
    assert "no bfloat16" in heard[0]


def test_what_has_no_weights_is_no_network():
    prior = torch.full((10,), 0.1)
    pupil = SelfTraining(config_of(SelfTrainingConfig), supervised(), prior)
    found = list(precision.networks(pupil))
    assert pupil.trust not in found  # running shares are float32, and so is what they follow
    assert pupil.student.encoder in found
    assert pupil.teacher.encoder in found
