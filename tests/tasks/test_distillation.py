"""Answers of finished runs teach one network: their mean, in its own terms, on all of train."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import headstart as hs
from headstart import tasks
from headstart.data import budget
from headstart.data.dataset import Dataset, Samples
from headstart.data.named import read_named
from headstart.data.splits import ensure_test
from headstart.runs.folder import RunFolder
from headstart.tasks.distillation import Distillation, DistillationConfig, taught
from headstart.types import Batch
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.finetune import finetune
from headstart.workflows.request import config_of
from samples import batch, identical, supervised
from samples import config_of as settings


def built(name, targets, **changes):
    cls = tasks.table.load(name)
    task = cls(cls.Config(), 4, cls.fit(cls.Config(), np.array(targets)))
    for key, value in changes.items():
        setattr(task, key, value)
    return task


def test_the_average_answers_the_mean_of_the_probabilities():
    task = built("classification", [0, 1, 2], temperature=1.7)
    outputs = torch.randn(5, 20, 3)
    wanted = torch.stack([task.probabilities(o) for o in outputs]).mean(0)
    torch.testing.assert_close(task.probabilities(task.average(outputs)), wanted)
    numbers = built("regression", [0.0, 2.0])
    torch.testing.assert_close(numbers.average(outputs[..., :1]), outputs[..., :1].mean(0))


def test_a_teachers_answers_are_the_same_in_the_pupils_terms():
    teacher = built("classification", ["eel", "cat", "dog"], temperature=2.0)
    pupil = built("classification", ["dog", "eel", "cat"], temperature=0.5)
    teacher.classes, outputs = ["eel", "cat", "dog"], torch.randn(10, 3)
    adopted = pupil.adopt(teacher, outputs, "runs/a")
    own, theirs = pupil.columns(adopted), teacher.columns(outputs)
    for name in theirs:
        if name != "label":
            np.testing.assert_allclose(own[name], theirs[name], rtol=1e-5)
    assert (own["label"] == theirs["label"]).all()
    one, other = built("regression", [0.0, 4.0]), built("regression", [10.0, 30.0])
    np.testing.assert_allclose(
        one.columns(one.adopt(other, outputs[:, :1], ""))["prediction"],
        other.columns(outputs[:, :1])["prediction"], rtol=1e-5,
    )  # fmt: skip


def test_teachers_of_other_classes_are_refused():
    pupil = built("classification", ["cat", "dog"])
    with pytest.raises(hs.UserError, match="eel; it lacks: dog"):
        pupil.adopt(built("classification", ["cat", "eel"]), torch.zeros(1, 2), "runs/a")


def test_the_loss_is_kullback_and_leiblers_and_the_labels_share():
    model = Distillation(settings(DistillationConfig, labels=0.25), supervised()).eval()
    data, said = batch(12), torch.randn(12, 10)
    torch.nn.init.normal_(model.student.task.head[-1].weight)
    y = torch.cat([taught(data.y[:4], said[:4]), taught(None, said[4:])])
    step = model(Batch(data.x, y), player="all", progress=1.0)
    outputs = model.student.outputs(data)
    teachers = torch.nn.functional.kl_div(
        outputs.log_softmax(1), said.softmax(1), reduction="batchmean"
    )
    labels = torch.nn.functional.cross_entropy(outputs[:4], data.y[:4])
    torch.testing.assert_close(step.loss, 0.75 * teachers + 0.25 * labels)
    model.student.task.head[-1].weight.data.zero_()
    same = Batch(data.x, taught(None, torch.zeros(12, 10)))
    assert float(model(same, player="all", progress=1.0).loss.detach()) == pytest.approx(
        0, abs=1e-6
    )


def parts():
    """Half of train learns, the other half judges."""
    train = ensure_test(read_named("digits"), 0).train
    half = np.arange(len(train)) % 2 == 0
    return {"train": train.take(np.flatnonzero(half)), "test": train.take(np.flatnonzero(~half))}


def tuned(out, splits, **more):
    raw = {
        "data": {"path": "digits"}, "labels_per_class": 5,
        "backbone": {"name": "mlp", "widths": [64]}, "training": {"duration": "150 steps"}, **more,
    }  # fmt: skip
    with RunFolder.create(out, resume=False, overwrite=True) as folder:
        return finetune(
            config_of(FinetuneConfig, raw), folder, dataset=Dataset("digits", "image", splits)
        )


def test_one_pupil_is_better_than_its_teachers_are_on_the_mean(tmp_path):
    teachers = [str(tmp_path / f"t{i}") for i in range(3)]
    alone = [
        tuned(out, parts(), seed=i, label_seed=0)["test"]["accuracy"]
        for i, out in enumerate(teachers)
    ]
    pupil = tuned(tmp_path / "p", parts(), teacher=teachers, training={"duration": "300 steps"})
    assert pupil["unlabelled"] == len(parts()["train"]) - 50
    assert pupil["test"]["accuracy"] > np.mean(alone) + 0.005
    # No label but the fifty is looked at: the same weights come of hiding all others.
    splits = parts()
    known = np.zeros(len(splits["train"]), dtype=bool)
    known[budget.choose(splits["train"], classes=True, labels=None, per_class=5, seed=0).train] = 1
    hidden = np.where(known, splits["train"].targets, 0)
    splits["train"] = Samples(splits["train"].inputs, hidden, known)
    tuned(tmp_path / "q", splits, teacher=teachers, training={"duration": "20 steps"})
    tuned(tmp_path / "s", parts(), teacher=teachers, training={"duration": "20 steps"})
    assert identical(*(load_file(tmp_path / run / "model.safetensors") for run in "qs"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"teacher": ["nowhere"]}, "no run at nowhere"),
        ({"teacher": ["nowhere"], "unlabelled": "self-train"}, "give one of them"),
    ],
)
def test_teachers_that_cannot_teach_are_named(tmp_path, more, message):
    with pytest.raises(hs.UserError, match=message):
        tuned(tmp_path / "r", parts(), **more)
    assert not (tmp_path / "r" / "model.safetensors").exists()


def test_a_pretraining_run_teaches_nothing(tmp_path, encoder_run):
    with pytest.raises(hs.UserError, match="pre-training run"):
        tuned(tmp_path / "r", parts(), teacher=[str(encoder_run.path)])
