"""The worst change against its closed form; the loss against its parts; and that it helps."""

import numpy as np
import pytest
import torch
from scipy.linalg import eigh
from sklearn.datasets import load_wine

import headstart as hs
from headstart.data.dataset import Dataset, Samples
from headstart.runs.folder import RunFolder
from headstart.tasks.self_training import UNLABELLED
from headstart.tasks.virtual_adversarial import (
    VirtualAdversarial,
    VirtualAdversarialConfig,
    labelled,
    resting_statistics,
    unit,
    worst_change,
)
from headstart.types import Batch, Spec
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.request import config_of
from samples import backbone, batch, image, supervised
from samples import config_of as settings


def test_the_worst_change_of_a_linear_network_is_the_first_eigenvector():
    """D's second derivative is Wᵀ (diag p − p pᵀ) W; little of D is left beside it when r is small."""
    torch.manual_seed(0)
    linear = torch.nn.Linear(6, 4).double()
    task = supervised().task
    x = torch.randn(1, 6, dtype=torch.double)
    fixed = linear(x).detach()
    config = settings(VirtualAdversarialConfig, rounds=30, radius=1e-3, probe=1e-3)
    change = worst_change(lambda at: task.divergence(fixed, linear(at)), x, config)[0]
    p, w = fixed.softmax(1)[0].numpy(), linear.weight.detach().numpy()
    values, vectors = eigh(w.T @ (np.diag(p) - np.outer(p, p)) @ w)
    length = 1e-3 * 6**0.5
    assert float(change.norm()) == pytest.approx(length)
    assert abs(float(change @ torch.from_numpy(vectors[:, -1]))) == pytest.approx(length, rel=1e-4)
    distance = task.divergence(fixed, linear(x + change)).item()
    assert distance == pytest.approx(0.5 * length**2 * values[-1], rel=1e-2)


def test_one_round_finds_a_worse_change_than_chance():
    torch.manual_seed(0)
    model, data = supervised(), batch(128)
    torch.nn.init.normal_(model.task.head[-1].weight)
    config = settings(VirtualAdversarialConfig)
    with torch.no_grad():
        fixed = model.eval().outputs(data)

    def distance(x):
        return model.task.divergence(fixed, model.outputs(Batch(x)))

    found = worst_change(distance, data.x, config)
    by_chance = unit(torch.randn_like(data.x)) * config.radius * data.x[0].numel() ** 0.5
    with torch.no_grad():
        assert distance(data.x + found).mean() > 3 * distance(data.x + by_chance).mean()


def test_what_is_behind_a_samples_end_stays_as_it_is():
    x = torch.randn(3, 1, 4, 10)
    there = (torch.arange(10) < torch.tensor([4, 10, 7])[:, None])[:, None, None]
    config = settings(VirtualAdversarialConfig, rounds=2)
    change = worst_change(lambda at: at.sin().flatten(1).sum(1), x, config, there)
    assert not change.masked_select(~there.expand_as(x)).any()
    assert change.masked_select(there.expand_as(x)).all()


def learner(student=None, **changes):
    config = settings(VirtualAdversarialConfig, **changes)
    return VirtualAdversarial(config, student or supervised(pretrained=False), image().spec)


def mixed(known=16, count=64):
    data = batch(count)
    y = data.y.clone()
    y[known:] = UNLABELLED
    return Batch(data.x, y)


def test_without_weight_only_the_labels_are_learned_from():
    model, data = learner(weight=0.0).train(), mixed()
    step = model(data, player="all", progress=0.5)
    torch.testing.assert_close(step.loss, step.logs["labels"])
    outputs = model.student.outputs(Batch(data.x))
    torch.testing.assert_close(step.loss, model.student.task.loss(outputs[:16], data.y[:16]))


def test_gradients_of_smoothness_come_from_the_moved_answers_alone():
    """The answers at the samples are the target: held fixed, they cannot move to what is easier."""
    torch.manual_seed(0)
    model, data = learner(), batch(8)
    task = model.student.task
    torch.nn.init.normal_(task.head[-1].weight)
    away = (model.eval().student.outputs(data) + 0.1).detach().requires_grad_()
    fixed = model.student.outputs(data).detach()
    task.divergence(fixed, away).sum().backward()
    torch.testing.assert_close(away.grad, away.detach().softmax(1) - fixed.softmax(1))


def test_statistics_are_those_of_samples_as_they_are():
    model = supervised(backbone("conv"))
    before = {k: v.clone() for k, v in model.state_dict().items() if "running" in k}
    with resting_statistics(model.train()):
        model.outputs(batch(32))
    after = model.state_dict()
    assert all(torch.equal(v, after[k]) for k, v in before.items())
    model.outputs(batch(32))
    assert not all(torch.equal(v, after[k]) for k, v in before.items())


def test_while_the_head_alone_is_trained_there_is_no_smoothness():
    model = learner(supervised(mode="staged", head_share=0.5)).train()
    assert model(mixed(), player="all", progress=0.1).logs["smoothness"] == 0
    torch.nn.init.normal_(model.student.task.head[-1].weight)
    assert model(mixed(), player="all", progress=0.9).logs["smoothness"] > 0


def test_labels_are_told_from_what_stands_for_none():
    assert labelled(torch.tensor([0, 3, UNLABELLED])).tolist() == [True, True, False]
    assert labelled(torch.tensor([-100.0, torch.nan])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("spec", "how", "message"),
    [
        (Spec("categorical", (3,), cardinalities=(2, 2, 2)), {}, "self-train"),
        (None, {"mode": "frozen"}, "staged or full"),
    ],
)
def test_what_it_does_not_suit_is_refused(spec, how, message):
    student = supervised(**how)
    with pytest.raises(hs.UserError, match=message):
        VirtualAdversarial(settings(VirtualAdversarialConfig), student, spec or image().spec)


def wine():
    """Rows of 13 measurements of three vineyards' wines; every third row judges."""
    bunch = load_wine()
    third = np.arange(len(bunch.target)) % 3 == 0
    parts = {"train": ~third, "test": third}
    return Dataset(
        "wine", "table", {n: Samples(bunch.data[m], bunch.target[m]) for n, m in parts.items()}
    )


def tuned(out, **more):
    raw = {
        "data": {"path": "wine"}, "backbone": {"name": "mlp", "widths": [64, 32]},
        "training": {"duration": "200 steps"}, **more,
    }  # fmt: skip
    with RunFolder.create(out, resume=False, overwrite=True) as folder:
        return finetune(config_of(FinetuneConfig, raw), folder, dataset=wine())


def test_rows_without_labels_help_rows_with_few(tmp_path):
    """Mean over draws of two labels a class."""
    ways = {"ignore": [], "vat": []}
    for seed in range(4):
        for way, found in ways.items():
            more = {"labels_per_class": 2, "unlabelled": way, "seed": seed}
            found.append(tuned(tmp_path / "r", **more)["test"]["accuracy"])
    assert np.mean(ways["vat"]) > np.mean(ways["ignore"]) + 0.01


def test_numbers_are_learned_too(tmp_path):
    result = tuned(tmp_path / "r", task={"name": "regression"}, labels=30, unlabelled="vat")
    assert result["unlabelled"] > 0
    assert result["test"]["mse"] < 0.5 * result["test"]["mean_predictor_mse"]
