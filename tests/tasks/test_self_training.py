"""Trust in one's own answers, against the papers' formulas; labels outside the budget stay unseen."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from scipy.stats import norm

import headstart as hs
from headstart.data import budget
from headstart.data.dataset import Dataset, Samples
from headstart.data.loader import Resident
from headstart.data.mixed import Mixed
from headstart.data.named import read_named
from headstart.data.splits import ensure_test
from headstart.runs.folder import RunFolder
from headstart.tasks.self_training import (
    UNLABELLED,
    SelfTraining,
    SelfTrainingConfig,
    Trust,
    adaptive_thresholds,
    align,
    class_shares,
    truncated_normal,
)
from headstart.tasks.student import known_loss, shares
from headstart.types import Batch
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.request import config_of
from samples import config_of as settings
from samples import digits, identical, image, supervised


def pupil(**changes):
    prior = torch.full((10,), 0.1)
    return SelfTraining(settings(SelfTrainingConfig, **changes), supervised(), prior)


def two_views(labelled=16, count=64):
    x, y = digits()
    x, y = x[:count], y[:count].clone()
    y[labelled:] = UNLABELLED
    return Batch(torch.cat([image().augment(x), image().augment(x, "strong")]), y, views=2)


def test_soft_trust_is_a_normal_curve_cut_off_at_the_mean():
    sure, mean, variance = torch.linspace(0.1, 1, 50), torch.tensor(0.7), torch.tensor(0.04)
    half = norm(0.7, np.sqrt(0.04) / 2)
    expected = np.where(sure < 0.7, half.pdf(sure) / half.pdf(0.7), 1.0)
    np.testing.assert_allclose(truncated_normal(sure, mean, variance), expected, rtol=1e-5)


def test_adaptive_thresholds_are_those_of_the_paper():
    answered = torch.tensor([0.5, 0.3, 0.2])
    limits = adaptive_thresholds(torch.tensor(0.8), answered)
    torch.testing.assert_close(limits, torch.tensor([0.8, 0.48, 0.32]))


def test_aligned_answers_have_the_wanted_shares_when_all_are_alike():
    answers = torch.tensor([[0.7, 0.2, 0.1]]).repeat(5, 1)
    prior = torch.tensor([0.2, 0.3, 0.5])
    torch.testing.assert_close(align(answers, prior, answers[0]), prior.repeat(5, 1))
    torch.testing.assert_close(align(answers, prior, prior), answers)


@pytest.mark.parametrize("trust", ["fixed", "adaptive", "soft"])
def test_what_is_certain_is_trusted_and_only_the_unlabelled_are_counted(trust):
    made = Trust(settings(SelfTrainingConfig, trust=trust, align=False), torch.full((4,), 0.25))
    sure = torch.eye(4).repeat(8, 1)
    unsure = torch.full((32, 4), 0.25)
    free = torch.cat([torch.ones(32), torch.zeros(32)])
    for _ in range(600):
        belief, target = made(torch.cat([sure, unsure]), free)
    assert belief[:32].min() > 0.99
    assert torch.equal(target[:32], torch.arange(4).repeat(8))
    assert float(made.confidence) == pytest.approx(1.0, abs=0.01)  # the labelled would halve it
    if trust == "fixed":
        assert belief[32:].max() == 0


def test_labelled_samples_alone_make_the_loss_before_trust_has_grown():
    learner = pupil(warm=0.5, trust="soft").train()
    step = learner(two_views(), player="all", progress=0.2)
    assert step.logs["consistency"] == 0
    torch.testing.assert_close(step.loss, step.logs["labels"])
    assert learner(two_views(), player="all", progress=1.0).logs["consistency"] > 0


def test_no_gradient_reaches_the_teacher_and_it_follows_by_its_momentum():
    learner = pupil(momentum=0.75).train()
    learner(two_views(), player="all", progress=1.0).loss.backward()
    assert all(p.grad is None for p in learner.teacher.parameters())
    before = [p.clone() for p in learner.teacher.parameters()]
    with torch.no_grad():
        for p in learner.student.parameters():
            p.add_(1.0)
    learner.after_step(0.5)
    for old, new in zip(before, learner.teacher.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.25)


def test_few_and_many_share_every_batch_and_each_is_gone_through_evenly():
    few = Resident(torch.arange(10), torch.arange(10), seed=3)
    many = Resident(torch.arange(100, 160), torch.full((60,), UNLABELLED), seed=3)
    mixed = Mixed(few, many, share=0.25)
    batches = [mixed.at(step * 16, 16) for step in range(20)]
    for x, y in batches:
        assert (x < 10).sum() == 4
        assert torch.equal(x < 10, y != UNLABELLED)
    seen = torch.cat([x for x, _ in batches]).bincount(minlength=160)
    assert set(seen[:10].tolist()) == {8}  # 80 draws of 10
    assert set(seen[100:].tolist()) == {4}  # 240 draws of 60
    assert torch.equal(mixed.at(7 * 16, 16)[0], batches[7][0])


@given(
    share=st.floats(0.01, 0.99), position=st.integers(0, 10_000), count=st.integers(2, 64),
    cut=st.floats(0, 1),
)  # fmt: skip
def test_parts_of_a_mixed_batch_are_the_batch(share, position, count, cut):
    few = Resident(torch.arange(10), torch.arange(10), seed=3)
    many = Resident(torch.arange(100, 160), torch.full((60,), UNLABELLED), seed=3)
    mixed = Mixed(few, many, share)
    first = int(cut * count)
    whole = mixed.at(position, count)
    parts = [mixed.at(position + a, b) for a, b in ((0, first), (first, count - first)) if b]
    for column in range(2):
        assert torch.equal(torch.cat([part[column] for part in parts]), whole[column])
    assert abs(int((whole[0] < 10).sum()) - share * count) < 1.01


def test_with_a_graph_the_teacher_looks_at_samples_as_they_are_and_must_agree_in_the_end():
    learner = pupil(graph=True)
    learner.guesses = torch.zeros(64, dtype=torch.long)
    learner.drawn.fill_(learner.config.rounds)
    assert not learner.clean
    learner.graph = lambda encoder, *, first: learner.guesses
    assert learner.clean
    learner.train()
    x, y = digits()
    batch = two_views()
    y = batch.y.clone()
    y[y == UNLABELLED] -= torch.arange(48)
    batch = Batch(batch.x, y, 2, image().prepare(x[:64]))
    with torch.no_grad():
        answered = learner.teacher.outputs(Batch(batch.clean)).argmax(dim=1)[16:]
    early = learner(batch, player="all", progress=0.3).logs["trusted"]
    late = learner(batch, player="all", progress=0.8).logs["trusted"]
    assert early == pytest.approx(1.0)
    assert late == pytest.approx(float((answered == 0).float().mean()))


def test_a_graph_that_was_not_drawn_yet_teaches_nothing():
    learner = SelfTraining(
        settings(SelfTrainingConfig), supervised(), torch.full((10,), 0.1), rest=48
    )
    learner.graph = lambda encoder, *, first: pytest.fail("it is drawn in training only")
    learner.eval()
    batch = two_views()
    y = batch.y.clone()
    y[y == UNLABELLED] -= torch.arange(48)
    x, _ = digits()
    batch = Batch(batch.x, y, 2, image().prepare(x[:64]))
    for progress in (0.3, 0.8):
        with torch.no_grad():
            step = learner(batch, player="all", progress=progress)
        assert step.logs["trusted"] == step.logs["consistency"] == 0
        assert step.loss == step.logs["labels"] > 0


def test_means_over_the_labelled_are_weighed_by_how_many_a_process_has():
    free = torch.tensor([1.0, 0, 1, 1])
    torch.testing.assert_close(shares(free), free / 3)
    assert shares(torch.zeros(3)).sum() == 0
    learner = pupil()
    outputs, y = torch.randn(4, 10, requires_grad=True), torch.tensor([1, UNLABELLED, 2, 3])
    found = known_loss(learner.student.task, outputs, y, y >= 0)
    torch.testing.assert_close(found, learner.student.task.loss(outputs[y >= 0], y[y >= 0]))
    nothing = known_loss(learner.student.task, outputs, y, torch.zeros(4, dtype=torch.bool))
    nothing.backward()
    assert nothing == 0
    assert outputs.grad.abs().sum() == 0


def test_class_shares_are_those_of_the_labels():
    torch.testing.assert_close(
        class_shares(torch.tensor([0, 0, 1, 2])), torch.tensor([0.5, 0.25, 0.25])
    )


def trained(out, dataset, **more):
    raw = {
        "data": {"path": "digits"}, "labels_per_class": 5, "unlabelled": "self-train",
        "backbone": {"name": "mlp", "widths": [32]}, "training": {"duration": "20 steps"}, **more,
    }  # fmt: skip
    with RunFolder.create(out, resume=False, overwrite=True) as folder:
        return finetune(config_of(FinetuneConfig, raw), folder, dataset=dataset)


def test_labels_outside_the_budget_are_never_looked_at(tmp_path):
    """The same 50 labels with all others wrong and hidden give the same weights, to the bit."""
    whole = ensure_test(read_named("digits"), 0)
    result = trained(tmp_path / "a", whole)
    assert result["unlabelled"] == len(whole.train) - 50
    known = budget.choose(whole.train, classes=True, labels=None, per_class=5, seed=0).train
    targets = np.zeros_like(whole.train.targets)
    targets[known] = whole.train.targets[known]
    labelled = np.isin(np.arange(len(targets)), known)
    train = Samples(whole.train.inputs, targets, labelled)
    trained(tmp_path / "b", Dataset("digits", "image", {**whole.splits, "train": train}))
    assert identical(*(load_file(tmp_path / run / "model.safetensors") for run in "ab"))


def test_regression_and_fully_labelled_data_are_refused(tmp_path):
    whole = ensure_test(read_named("digits"), 0)
    with pytest.raises(hs.UserError, match="needs classes"):
        trained(tmp_path / "r", whole, task={"name": "regression"}, labels_per_class=None)
    with pytest.raises(hs.UserError, match="nothing to train itself on"):
        trained(tmp_path / "r", whole, labels_per_class=None, data={"path": "digits"})


def test_the_twin_without_unlabelled_samples_is_beaten(tmp_path):
    """Half of train is learned from, the other half judges; the test split is not touched."""
    train = ensure_test(read_named("digits"), 0).train
    half = np.arange(len(train)) % 2 == 0
    parts = {"train": train.take(np.flatnonzero(half)), "test": train.take(np.flatnonzero(~half))}
    dataset = Dataset("digits", "image", parts)
    small = {"name": "conv", "widths": [8, 16]}
    more = {"training": {"duration": "150 steps"}, "backbone": small}
    more["labels_per_class"] = 3
    alone = trained(tmp_path / "a", dataset, unlabelled="ignore", **more)
    helped = trained(tmp_path / "b", dataset, **more)
    assert helped["test"]["accuracy"] > alone["test"]["accuracy"] + 0.02
