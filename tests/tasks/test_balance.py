"""Classes that differ in number: the papers' formulas, and a real long-tailed draw of digits."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.utils.class_weight import compute_class_weight

from headstart import tasks
from headstart.data.dataset import Dataset, Samples
from headstart.data.named import read_named
from headstart.data.splits import ensure_test
from headstart.runs.folder import RunFolder
from headstart.tasks.balance import class_weights, log_shares
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.request import config_of
from samples import config_of as settings

TARGETS = np.repeat([0, 1, 2], [60, 30, 10])


def task(**changes):
    cls = tasks.table.load("classification")
    config = settings(cls.Config, label_smoothing=0.0, **changes)
    return cls(config, 4, cls.fit(config, TARGETS))


def test_weights_are_scikit_learns_balanced_ones():
    theirs = compute_class_weight("balanced", classes=np.arange(3), y=TARGETS)
    np.testing.assert_allclose(class_weights([60, 30, 10]).numpy(), theirs, rtol=1e-6)


def test_weighted_classes_count_alike():
    """The loss is the mean over classes of the mean over each one's samples."""
    torch.manual_seed(0)
    outputs, targets = torch.randn(100, 3), torch.from_numpy(TARGETS)
    each = -outputs.log_softmax(1).gather(1, targets[:, None])[:, 0]
    wanted = torch.stack([each[targets == k].mean() for k in range(3)]).mean()
    torch.testing.assert_close(task(balance="weights").loss(outputs, targets), wanted)


def test_adjusted_loss_is_menons():
    """log(1 + Σ_{y' ≠ y} (π_y' / π_y) · exp(f_y' − f_y)), their eq. 10 with τ = 1."""
    torch.manual_seed(0)
    outputs, targets = torch.randn(100, 3), torch.from_numpy(TARGETS)
    pi = torch.tensor([0.6, 0.3, 0.1])
    torch.testing.assert_close(log_shares([60, 30, 10]).exp(), pi)
    terms = [
        torch.log(
            1 + sum(pi[o] / pi[y] * torch.exp(f[o] - f[y]) for o in range(3) if o != y)
        )
        for f, y in zip(outputs, targets.tolist(), strict=True)
    ]  # fmt: skip
    torch.testing.assert_close(
        task(balance="logits").loss(outputs, targets), torch.stack(terms).mean()
    )


@pytest.mark.parametrize(
    ("balance", "answer"), [("none", [0.6, 0.3, 0.1]), ("weights", [1 / 3] * 3),
                            ("logits", [1 / 3] * 3)],
)  # fmt: skip
def test_the_best_constant_answer_knows_no_frequency_once_balanced(balance, answer):
    """And its loss is what the task calls trivial."""
    made, targets = task(balance=balance), torch.from_numpy(TARGETS)
    constant = torch.zeros(1, 3, requires_grad=True)
    optimiser = torch.optim.LBFGS([constant], max_iter=100, tolerance_grad=1e-9)

    def loss():
        optimiser.zero_grad()
        value = made.loss(constant.expand(100, 3), targets)
        value.backward()
        return value

    optimiser.step(loss)
    torch.testing.assert_close(constant.softmax(1)[0], torch.tensor(answer), atol=1e-3, rtol=0)
    assert loss().item() == pytest.approx(made.trivial_loss(targets), abs=1e-5)


def long_tailed():
    """Digits whose most frequent class has 100 samples and whose rarest has 5; test stays even."""
    whole = ensure_test(read_named("digits"), 0)
    counts = np.round(100 * 0.05 ** (np.arange(10) / 9)).astype(int)
    order = np.random.default_rng(0).permutation(len(whole.train))
    y = whole.train.targets[order]
    kept = np.concatenate([order[y == k][:n] for k, n in enumerate(counts)])
    half = np.setdiff1d(np.arange(len(whole.train)), kept)  # what is left of train judges
    parts = {"train": whole.train.take(kept), "test": whole.train.take(half)}
    return Dataset("digits", "image", {n: Samples(s.inputs, s.targets) for n, s in parts.items()})


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    found = {}
    for balance in ("none", "weights", "logits"):
        out = tmp_path_factory.mktemp("balance") / balance
        raw = {
            "data": {"path": "digits"}, "task": {"balance": balance},
            "training": {"duration": "150 steps", "lr": 3e-3},
            "backbone": {"name": "conv", "widths": [8, 16]},
        }  # fmt: skip
        with RunFolder.create(out, resume=False, overwrite=True) as folder:
            found[balance] = finetune(config_of(FinetuneConfig, raw), folder, dataset=long_tailed())
        assert load_file(out / "model.safetensors")
    return found


def recall_of_the_rare(result):
    confusion = np.array(result["test"]["confusion"])
    return (confusion.diagonal() / confusion.sum(axis=1))[-3:].mean()


@pytest.mark.parametrize("balance", ["weights", "logits"])
def test_balance_finds_more_of_the_rare_digits(runs, balance):
    assert recall_of_the_rare(runs[balance]) > recall_of_the_rare(runs["none"]) + 0.02
    better = runs[balance]["test"]["balanced_accuracy"]
    assert better > runs["none"]["test"]["balanced_accuracy"]


def test_balanced_runs_are_chosen_by_balanced_accuracy(runs):
    assert "balanced_accuracy" in runs["logits"]["val"]
    assert task(balance="logits").metric == "balanced_accuracy"
    assert task().metric == "accuracy"
