import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sklearn import metrics

from headstart import backbones, tasks
from headstart.errors import UserError
from headstart.tasks.classification import wilson
from headstart.tasks.supervised import FineTuneConfig, Supervised
from headstart.types import Batch, Spec

RNG = np.random.default_rng(0)


def built(name, targets, dim=4):
    cls = tasks.table.load(name)
    return cls(cls.Config(), dim, cls.fit(cls.Config(), targets))


def test_classification_figures_are_scikit_learns():
    targets = RNG.choice(["cat", "dog", "eel"], 90)
    task = built("classification", targets)
    outputs = torch.randn(90, 3)
    found = task.figures(outputs, task.encode(targets, "test"))
    answers = task.columns(outputs)["label"]
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(targets, answers))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(targets, answers, average="macro"))
    assert found["confusion"] == metrics.confusion_matrix(targets, answers).tolist()
    wrong = task.severity(outputs, task.encode(targets, "test")) > 0
    assert (wrong.numpy() == (targets != answers)).all()


def test_whole_numbers_are_the_classes_they_spell_where_train_has_leading_zeros():
    task = built("classification", np.array(["007", "7", "8", "7"]))
    assert task.encode(np.array([8, 7]), "test").tolist() == [2, 1]
    with pytest.raises(UserError, match="has the class '9'"):
        task.encode(np.array([9]), "test")


@pytest.mark.parametrize("classes", [["true", "false"], ["True", "False"], [True, False]])
@pytest.mark.parametrize("other", [["TRUE", "false"], ["True", "False"], [True, False]])
def test_true_and_false_are_the_same_classes_in_whatever_case(classes, other):
    task = built("classification", np.array(classes))
    assert task.encode(np.array(other), "test").tolist() == [1, 0]
    assert task.columns(torch.eye(2))["label"].tolist() == sorted(classes)
    with pytest.raises(UserError, match="has the class 'maybe'"):
        task.encode(np.array(["maybe"]), "test")


@pytest.mark.parametrize("there", [[0, 1, 2, 3, 4], [1, 3], [2]])
@pytest.mark.parametrize("answered", [[0, 1, 2, 3, 4], [0, 1], [4]])
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_figures_of_samples_without_some_classes_are_scikit_learns(there, answered):
    task = built("classification", np.arange(5))
    truth, said = (torch.from_numpy(RNG.choice(part, 40)) for part in (there, answered))
    found = task.figures(torch.nn.functional.one_hot(said, 5).float(), truth)
    y, p = truth.numpy(), said.numpy()
    each = metrics.f1_score(y, p, labels=range(5), average=None, zero_division=0)
    assert [found[f"f1_{k}"] for k in range(5)] == pytest.approx(each)
    assert found["macro_f1"] == pytest.approx(
        metrics.f1_score(y, p, average="macro", zero_division=0)
    )
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, p))
    assert found["confusion"] == metrics.confusion_matrix(y, p, labels=range(5)).tolist()


@pytest.mark.parametrize(("right", "n"), [(0, 10), (7, 10), (990, 1000)])
def test_interval_is_wilsons(right, n):
    theirs = binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right / n, n) == pytest.approx([theirs.low, theirs.high], abs=1e-9)


def test_regression_figures_are_scikit_learns_in_the_targets_unit():
    targets = RNG.normal(100, 7, 60)
    task = built("regression", targets)
    outputs = torch.randn(60, 1)
    found = task.figures(outputs, task.encode(targets, "test"))
    answers = task.columns(outputs)["prediction"]
    assert found["mse"] == pytest.approx(metrics.mean_squared_error(targets, answers), rel=1e-5)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(targets, answers), rel=1e-5)
    assert found["r2"] == pytest.approx(metrics.r2_score(targets, answers), rel=1e-4)
    assert found["mean_predictor_mse"] == pytest.approx(targets.var(), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "targets", "message"),
    [
        ("classification", np.array(["a", "a"]), "two classes"),
        ("classification", np.array([0.5, 1.5]), "regression"),
        ("regression", np.array(["a", "b"]), "classification"),
        ("regression", np.array([2.0, 2.0]), "nothing to learn"),
    ],
)
def test_targets_that_do_not_suit_are_refused(name, targets, message):
    with pytest.raises(UserError, match=message):
        built(name, targets)


def learner(mode, **settings):
    torch.manual_seed(0)
    cls = backbones.table.load("conv")
    encoder = cls(cls.Config(), Spec("continuous", (1, 8, 8)))
    task = built("classification", np.array([0, 1]), encoder.dim)
    return Supervised(FineTuneConfig(mode=mode, **settings), encoder, task, pretrained=True)


def train(model, progress):
    model.train()
    batch = Batch(torch.randn(8, 1, 8, 8), torch.tensor([0, 1] * 4))
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.5)
    for _ in range(3):
        optimiser.zero_grad()
        model(batch, player="all", progress=progress).loss.backward()
        optimiser.step()


@pytest.mark.parametrize(
    ("mode", "progress", "moves"),
    [("frozen", 0.9, False), ("staged", 0.0, False), ("staged", 0.9, True), ("full", 0.0, True)],
)
def test_encoder_moves_only_when_it_should(mode, progress, moves):
    model = learner(mode)
    before = {k: v.clone() for k, v in model.encoder.state_dict().items()}
    head = model.task.head[-1].weight.clone()
    train(model, progress)
    after = model.encoder.state_dict()
    assert any(not torch.equal(before[k], after[k]) for k in before) == moves
    assert not torch.equal(head, model.task.head[-1].weight)


def test_rates_fall_with_depth():
    model = learner("full", layer_decay=0.5)
    rates = model.rates()
    found = [rates[next(layer.parameters())] for layer in model.encoder.layers()]
    assert found == [0.5**4, 0.5**3, 0.5**2, 0.5]


@pytest.mark.parametrize("name", ["classification", "regression", "multilabel"])
def test_a_batch_of_one_sample_can_be_learned_from(name):
    targets = np.array(["a", "a|b", "b"]) if name == "multilabel" else np.array([0, 1, 2])
    task = built(name, targets).train()
    loss = task.loss(task.head(torch.randn(1, 4)), task.encode(targets, "train")[:1])
    loss.backward()
    assert loss.isfinite()
    assert torch.equal(task.head[0].running_var, torch.ones(4))


@pytest.mark.parametrize(
    ("name", "targets", "settings", "first"),
    [
        ("classification", np.array(list("abca")), {}, [0.0, 0.0, 0.0]),
        ("regression", np.array([1.0, 2.0, 4.0]), {}, [0.0]),
        ("regression", np.array([1.0, 2.0, 4.0]), {"loss": "quantile"}, [0.0, 0.0, 0.0]),
        ("multilabel", np.array(["a|b", "a", "c|b", "b"]), {}, [0.0, np.log(3), -np.log(3)]),
        ("multilabel", np.array(["a|b", "a"]), {"balance": "weights"}, [0.0, 0.0]),
    ],
)
def test_heads_begin_with_one_answer_and_take_the_draws_of_one_linear_layer(
    name, targets, settings, first
):
    """Draws that come after it, and names in files of weights, are those of every earlier run."""
    cls = tasks.table.load(name)
    config = cls.Config(**settings)
    torch.manual_seed(5)
    head = cls(config, 4, cls.fit(config, targets)).head.eval()
    after = torch.rand(3)
    torch.manual_seed(5)
    torch.nn.Linear(4, len(first))
    assert torch.equal(after, torch.rand(3))
    assert torch.allclose(head(torch.randn(6, 4)), torch.tensor(first).expand(6, -1).float())
    assert sorted(head.state_dict()) == [
        "0.num_batches_tracked",
        "0.running_mean",
        "0.running_var",
        "2.bias",
        "2.weight",
    ]
