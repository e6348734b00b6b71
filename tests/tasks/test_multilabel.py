"""Several labels a sample: figures against scikit-learn, targets in every form, the whole way."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
from sklearn import metrics
from sklearn.preprocessing import MultiLabelBinarizer

import headstart as hs
from headstart.cli import main
from headstart.data.sources import open_dataset
from headstart.errors import UserError
from headstart.tasks.multilabel import MultiLabel, MultiLabelConfig
from headstart.tasks.virtual_adversarial import labelled
from samples import config_of
from texts import sentences

RNG = np.random.default_rng(0)
NAMES = ["cat", "dog", "eel", "fox"]
SETS = [[n for n in NAMES if RNG.random() < 0.4] for _ in range(80)]
TARGETS = np.array(["|".join(names) or "|" for names in SETS])


def task(targets=TARGETS, **settings):
    config = config_of(MultiLabelConfig, **settings)
    return MultiLabel(config, 5, MultiLabel.fit(config, targets))


def test_targets_are_encoded_as_scikit_learn_does():
    theirs = MultiLabelBinarizer(classes=NAMES).fit_transform(SETS)
    assert (task().encode(TARGETS, "test").numpy() == theirs).all()
    spaced = np.array([" dog | cat||dog", "eel|fox"])
    assert task(spaced).encode(spaced, "test").tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]


def test_figures_are_scikit_learns():
    made = task()
    truth = made.encode(TARGETS, "test")
    torch.manual_seed(0)
    outputs = torch.randn(80, 4) + truth
    found = made.figures(outputs, truth)
    y, said, share = truth.numpy(), (outputs.numpy() >= 0), outputs.sigmoid().numpy()
    assert found["micro_f1"] == pytest.approx(metrics.f1_score(y, said, average="micro"))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(y, said, average="macro"))
    assert found["exact_match"] == pytest.approx(metrics.accuracy_score(y, said))
    assert found["mean_average_precision"] == pytest.approx(
        metrics.average_precision_score(y, share, average="macro")
    )
    columns = made.columns(outputs)
    assert [set(c.split("|")) - {""} for c in columns["labels"]] == [
        {n for n, yes in zip(NAMES, row, strict=True) if yes} for row in said
    ]
    assert ((made.severity(outputs, truth) > 0).numpy() == (said != y).any(axis=1)).all()
    strict = task(threshold=0.8)
    assert (strict._said(outputs) == (share >= 0.8)).all()


@pytest.mark.parametrize("balance", ["none", "weights"])
def test_the_trivial_loss_is_the_lowest_that_one_answer_for_all_can_have(balance):
    made = task(balance=balance)
    truth = made.encode(TARGETS, "test")
    answer = torch.zeros(4, requires_grad=True)
    optimiser = torch.optim.LBFGS([answer], line_search_fn="strong_wolfe", max_iter=100)

    def closure():
        optimiser.zero_grad()
        loss = made.loss(answer.expand(80, 4), truth)
        loss.backward()
        return loss

    optimiser.step(closure)
    lowest = float(made.loss(answer.detach().expand(80, 4), truth))
    assert made.trivial_loss(truth) == pytest.approx(lowest, abs=1e-5)


def test_divergence_and_average_are_of_probabilities():
    made = task()
    torch.manual_seed(0)
    one, other = torch.randn(6, 4), torch.randn(6, 4)
    p, q = one.sigmoid(), other.sigmoid()
    by_hand = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).sum(dim=1)
    torch.testing.assert_close(made.divergence(one, other), by_hand)
    torch.testing.assert_close(made.average(torch.stack([one, other])).sigmoid(), (p + q) / 2)
    mine = made.encode(TARGETS, "test")
    torch.testing.assert_close(
        made.loss(torch.zeros(80, 4), mine), F.binary_cross_entropy(torch.full((80, 4), 0.5), mine)
    )


def test_a_label_never_learned_counts_as_missed():
    made = task()
    truth = made.encode(np.array(["cat|gnu", "dog"]), "test")
    said = torch.tensor([[5.0, -5, -5, -5], [-5, 5, -5, -5]])
    found = made.figures(said, truth)
    assert found["micro_f1"] == pytest.approx(2 * 2 / (2 + 3))
    assert found["exact_match"] == 0.5
    assert found["labels_never_seen"] == 1
    assert made.loss(said, truth) == made.loss(said, truth[:, :4])


@pytest.mark.parametrize(
    ("targets", "message"),
    [(np.array(["cat", "|"]), "two labels"), (np.array([0.5, 1.5]), "regression")],
)
def test_targets_that_do_not_suit_are_refused(targets, message):
    with pytest.raises(UserError, match=message):
        task(targets)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_several_labels_in_a_cell_or_a_list(tmp_path, suffix):
    rows = [
        {"text": "a", "label": ["x", "y"]},
        {"text": "b", "label": []},
        {"text": "c", "label": None},
    ]
    path = tmp_path / f"t.{suffix}"
    if suffix == "csv":
        path.write_text("text,label\na,x|y\nb,|\nc,\n")
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    train = open_dataset(str(path), text_column="text").train
    assert train.targets.tolist() == ["x|y", "|", ""]
    assert train.has_label.tolist() == [True, True, False]


def test_a_list_with_a_bar_in_a_name_is_refused(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"text": "a", "label": ["x|y"]}\n')
    with pytest.raises(UserError, match=r"line 1, column 'label': 'x\|y' in a list"):
        open_dataset(str(tmp_path / "t.jsonl"), text_column="text")


WORDS = ("file", "return", "argument", "test")
SMALL = ["--backbone", "ngram", "--set", "backbone.width=16", "--no-report", "--quiet"]


@pytest.fixture(scope="module")
def topics(tmp_path_factory):
    """Sentences, and which of four words they hold."""
    path = tmp_path_factory.mktemp("topics") / "t.jsonl"
    lines = []
    for i, text in enumerate(sentences()[:400]):
        has = [word for word in WORDS if word in text.lower()]
        split = "test" if i % 4 == 0 else "train"
        lines.append(json.dumps({"text": text, "label": has, "length": len(text), "split": split}))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_whole_way_from_a_file_to_probabilities(topics, tmp_path):
    out = tmp_path / "run"
    command = ["finetune", str(topics), "--text-column", "text", "--target", "label"]
    more = ["--task", "multilabel", "--steps", "60", "--lr", "1e-2", "--out", str(out)]
    assert main([*command, *more, *SMALL]) == 0
    result = json.loads((out / "result.json").read_text())
    assert result["test"]["mean_average_precision"] > 0.3  # by chance a twentieth
    said = hs.load(out).predict(["open the file", "nothing here"])
    assert {f"probability_{word}" for word in WORDS} < set(said)
    assert hs.load(out).evaluate()["n"] == 100
    student = tmp_path / "student"
    taught = ["--teacher", str(out), "--labels", "120", "--out", str(student)]
    assert main([*command, "--task", "multilabel", "--steps", "20", *taught, *SMALL]) == 0


def test_regression_on_texts(topics, tmp_path):
    out = tmp_path / "run"
    command = ["finetune", str(topics), "--text-column", "text", "--target", "length"]
    more = ["--task", "regression", "--steps", "150", "--lr", "1e-2", "--out", str(out)]
    assert main([*command, *more, "--set", "backbone.pool=max", *SMALL]) == 0
    test = json.loads((out / "result.json").read_text())["test"]
    assert test["mse"] < test["mean_predictor_mse"]


def test_rows_of_numbers_mixed(tmp_path):
    x = RNG.normal(size=(300, 6)).round(3)
    lines = ["a,b,c,d,e,f,kinds"]
    for row in x:
        has = [name for name, value in zip("pqr", row, strict=False) if value > 0]
        lines.append(",".join(map(str, row)) + "," + ("|".join(has) or "|"))
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    command = ["finetune", str(tmp_path / "t.csv"), "--target", "kinds", "--task", "multilabel"]
    more = ["--steps", "100", "--set", "finetune.mixup=0.2", "--out", str(tmp_path / "run")]
    assert main([*command, *more, "--no-report", "--quiet"]) == 0
    test = json.loads((tmp_path / "run" / "result.json").read_text())["test"]
    assert test["micro_f1"] > 0.8


def test_samples_without_labels_are_told_by_the_first_of_them():
    y = torch.tensor([[0.0, 1.0], [torch.nan, torch.nan]])
    assert labelled(y).tolist() == [True, False]
