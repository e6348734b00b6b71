"""Two processes train the curve of one, stop together, and can be resumed by one."""

import json
from unittest.mock import patch

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import samples
from forks import Killer, said, together
from headstart import collectives, objectives
from headstart.data.loader import Resident
from headstart.data.named import read_named
from headstart.data.splits import ensure_test
from headstart.errors import InterruptedRunError, UserError
from headstart.modalities.augment.words import dropped, without_span
from headstart.runs.folder import RunFolder
from headstart.settings import Duration
from headstart.training import checkpoints
from headstart.training.norms import share_norms
from headstart.types import Vocabulary
from headstart.workflows.bakeoff import AutoConfig, TrialSetup, bake_off
from headstart.workflows.config import FinetuneConfig, PretrainConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.judges import Judge
from headstart.workflows.pretrain import pretrain
from headstart.workflows.request import config_of
from learners import ROWS
from samples import backbone, curve, engine, image, supervised

TRAINING = {
    "duration": "12 steps", "batch_size": 32, "threads": 1, "ema": 0.8,
    # Adam would make steps of a learning rate out of rounding, where a gradient is zero: the bias
    # before a batch norm.
    "optimizer": "sgd", "lr": 0.01,
    "checkpoint_every": "4 steps", "validate_every": "6 steps",
}  # fmt: skip
NETWORK = {"name": "mlp", "widths": [16, 8]}
# Several views, batch norm and comparisons over the global batch; noise and masks drawn inside;
# a loss that is no mean; two players; labels; and labels for some of a
# batch, of which either process has its own number.
NAMES = (
    "simclr", "denoising", "inpainting", "variational", "two-players", "gan", "classification",
    "self-train", "vat",
)  # fmt: skip
AUTO = {"name": "auto", "candidates": ["denoising", "simclr"], "share": 0.5}


@pytest.fixture(scope="module")
def digits():
    found = ensure_test(read_named("digits"), 0)
    return found.with_splits(
        {name: part.take(np.arange(min(300, len(part)))) for name, part in found.splits.items()}
    )


def train(name, path, dataset, *, resume=False, display=None, **training):
    raw = {"backbone": NETWORK, "training": {**TRAINING, **training}}
    with (
        patch.dict(objectives.table._own, ROWS),
        RunFolder.create(path, resume=resume, overwrite=False) as folder,
    ):
        if name in ("classification", "self-train", "vat"):
            if name != "classification":
                raw |= {"unlabelled": name, "labels_per_class": 3}
            config = config_of(FinetuneConfig, raw)
            return finetune(config, folder, dataset=dataset, resume=resume, display=display)
        objective = AUTO if name == "auto" else {"name": name}
        config = config_of(PretrainConfig, {**raw, "objective": objective})
        return pretrain(config, folder, dataset=dataset, resume=resume, display=display)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, digits):
    """Each job by one process and by two."""
    folder = tmp_path_factory.mktemp("processes")
    torch.set_num_threads(1)

    def two(rank):
        for name in NAMES:
            train(name, folder / f"{name}-two", digits)

    codes = together(two, folder)
    assert codes == [0, 0], said(folder)
    for name in NAMES:
        train(name, folder / f"{name}-one", digits)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_train_the_curve_of_one(runs, name):
    one, two = runs / f"{name}-one", runs / f"{name}-two"
    assert json.loads((two / "result.json").read_text())["processes"] == 2
    np.testing.assert_allclose(curve(two), curve(one), rtol=1e-3, atol=1e-6)
    ours, theirs = (load_file(run / "model.safetensors") for run in (one, two))
    for key, value in ours.items():
        torch.testing.assert_close(theirs[key], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("shard", [False, True])
def test_all_stop_on_a_signal_to_one_and_one_goes_on_alone(tmp_path, digits, runs, shard):
    def interrupted(rank):
        killer = Killer() if rank == 1 else None
        train("simclr", tmp_path / "cut", digits, display=killer, shard=shard)

    assert together(interrupted, tmp_path) == [143, 143], said(tmp_path)
    step = checkpoints.newest(RunFolder(tmp_path / "cut"))["progress"]["step"]
    assert 6 <= step < 12
    train("simclr", tmp_path / "cut", digits, resume=True)
    np.testing.assert_allclose(
        curve(tmp_path / "cut"), curve(runs / "simclr-one"), rtol=2e-4, atol=1e-6
    )


def test_weights_spread_over_processes_train_the_curve_of_one(tmp_path, digits, runs):
    """Two players, whose gradients come apart; a run begun by one process, with moments to share."""
    adamw = {"optimizer": "adamw", "lr": 0.001, "accumulate": 2}
    with pytest.raises(InterruptedRunError):
        train("autoencoder", tmp_path / "cut", digits, display=Killer(), **adamw)
    train("autoencoder", tmp_path / "one", digits, **adamw)

    def spread(rank):
        train("two-players", tmp_path / "two", digits, shard=True)
        train("autoencoder", tmp_path / "cut", digits, resume=True, shard=True, **adamw)

    assert together(spread, tmp_path) == [0, 0], said(tmp_path)
    for found, expected in (("two", runs / "two-players-one"), ("cut", tmp_path / "one")):
        np.testing.assert_allclose(curve(tmp_path / found), curve(expected), rtol=1e-3, atol=1e-6)
        ours, theirs = (
            load_file(run / "model.safetensors") for run in (expected, tmp_path / found)
        )
        for key, value in ours.items():
            torch.testing.assert_close(theirs[key], value, rtol=1e-3, atol=1e-5)


def test_each_process_holds_its_part_and_what_needs_whole_tensors_is_refused(tmp_path):
    def work(rank):
        collectives.join(torch.device("cpu"))
        learner = supervised(encoder=backbone("conv", widths=[8, 16]), pretrained=False)
        count = sum(p.numel() for p in learner.parameters())
        made = engine(learner, 2, shard=True)
        own = [p for group in made.optimisers["all"].param_groups for p in group["params"]]
        assert sum(p.numel() for p in own) < 0.6 * count
        assert sum(p.numel() for p in learner.parameters()) == 0
        made.fit()
        assert sum(p.numel() for p in learner.parameters()) == count
        moments = [s["exp_avg"] for s in made.optimisers["all"].state.values()]
        assert sum(m.numel() for m in moments) < 0.6 * count
        with pytest.raises(UserError, match="muon needs whole ones"):
            engine(supervised(pretrained=False), 2, shard=True, optimizer="muon")

    assert together(work, tmp_path) == [0, 0], said(tmp_path)


def test_statistics_are_of_all_rows_however_many_each_process_has(tmp_path):
    """As of words and of frames."""
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0)) + 2
    whole = torch.nn.BatchNorm1d(3)
    wanted = whole(x).detach().split([2, 5])

    def work(rank):
        collectives.join(torch.device("cpu"))
        norm = torch.nn.BatchNorm1d(3)
        share_norms(norm)
        torch.testing.assert_close(norm(x.split([2, 5])[rank]).detach(), wanted[rank])
        torch.testing.assert_close(norm.running_mean, whole.running_mean)
        torch.testing.assert_close(norm.running_var, whole.running_var)

    assert together(work, tmp_path) == [0, 0], said(tmp_path)


def test_words_are_hidden_as_one_process_would_hide_them(tmp_path):
    vocabulary = Vocabulary(50, 0, 1, 2, 3, 3, (False,) * 50, ("a",) * 50, 10)
    x = torch.arange(4, 44).view(4, 10)

    def changed(x):
        torch.manual_seed(0)
        return torch.cat([dropped(x, 0.5, vocabulary), without_span(x, 0.3, vocabulary)], dim=1)

    wanted = changed(x).split(2)

    def work(rank):
        collectives.join(torch.device("cpu"))
        assert changed(x.split(2)[rank]).equal(wanted[rank])

    assert together(work, tmp_path) == [0, 0], said(tmp_path)


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path, digits):
    def work(rank):
        with pytest.raises(UserError, match="33 samples cannot be shared equally by 2 processes"):
            train("simclr", tmp_path / "r", digits, batch_size=33)

    assert together(work, tmp_path) == [0, 0], said(tmp_path)


def test_all_try_the_same_objectives_judge_them_as_one_would_and_go_on_with_one(tmp_path, digits):
    def scores(result):
        return {one["objective"]: one["score"] for one in result["bakeoff"]["tried"]}

    def two(rank):
        result = train("auto", tmp_path / "two", digits, duration="48 steps")
        (tmp_path / f"{rank}.json").write_text(json.dumps(scores(result)))

    assert together(two, tmp_path) == [0, 0], said(tmp_path)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    one = train("auto", tmp_path / "one", digits, duration="48 steps")
    assert first == second == pytest.approx(scores(one), abs=0.004)  # a sample of 300, or two
    np.testing.assert_allclose(
        curve(tmp_path / "two"), curve(tmp_path / "one"), rtol=1e-3, atol=1e-6
    )


def test_the_first_process_decides_between_objectives(tmp_path, digits):
    """As where machines round differently, and scores are near one another."""
    x = samples.digits()[0]

    def work(rank):
        scores = iter([0.5, 0.4] if rank == 0 else [0.5, 0.6])
        judge = Judge("rounding", lambda _: next(scores))
        config = config_of(PretrainConfig, {"training": TRAINING})
        setup = TrialSetup(config, backbone, image(), Resident(x, seed=0), judge)
        auto = AutoConfig(candidates=("denoising", "autoencoder"))
        found = bake_off(auto, setup, Duration(20, "steps"), lambda _: None)
        assert found.chosen == "denoising"
        assert [one.score for one in found.tried] == [0.5, 0.4]

    assert together(work, tmp_path) == [0, 0], said(tmp_path)
