"""Which samples are chosen to be labelled, and that a fine-tuning uses exactly those."""

import itertools
import json
import shlex

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn.functional import normalize

import headstart as hs
from headstart.cli import main
from headstart.data import label_file
from headstart.data.dataset import Samples
from headstart.data.sources import open_dataset
from headstart.data.splits import ensure_test
from headstart.errors import UserError
from headstart.study.labelling import first, table
from headstart.study.labelling.clusters import kmeans
from headstart.study.labelling.space import Space

RULES = list(table)
FIRST = ["covering", "typical", "far"]


def blobs(sizes, spread=0.05, seed=0, dim=8):
    """Unit vectors about well separated directions, and which direction each is of."""
    torch.manual_seed(seed)
    middles = torch.linalg.qr(torch.randn(dim, dim)).Q[: len(sizes)]
    parts = [m + spread * torch.randn(n, dim) for m, n in zip(middles, sizes, strict=True)]
    which = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return normalize(torch.cat(parts), dim=1), which


def space(sizes=(40, 40, 40, 40), known=(), **more):
    z, which = blobs(sizes)
    answers = torch.rand(len(z), 3, generator=torch.Generator().manual_seed(1))
    return Space(z, list(known), answers / answers.sum(dim=1, keepdim=True), **more), which


# ------------------------------------------------------------------ rules


@pytest.mark.parametrize("name", RULES)
def test_every_rule_gives_as_many_new_samples_and_the_same_again(name):
    known = [0, 1, 50, 90]
    here, _ = space(known=known)
    chosen = table.load(name)(here, 12)
    assert len(chosen) == len(set(chosen)) == 12
    assert not set(chosen) & set(known)
    assert table.load(name)(here, 12) == chosen


@pytest.mark.parametrize("name", RULES)
def test_every_rule_can_choose_all_that_is_left(name):
    here, _ = space((6, 5), known=[0])
    assert sorted(table.load(name)(here, 99)) == list(range(1, 11))


@pytest.mark.parametrize("name", FIRST)
def test_first_labels_miss_no_cluster(name):
    """Random ones would: one of six is a twelfth of all."""
    here, which = space((60, 50, 40, 30, 30, 20))
    assert len(set(which[table.load(name)(here, 6)].tolist())) == 6


@pytest.mark.parametrize("name", FIRST)
def test_labelled_clusters_are_left_for_later(name):
    here, which = space((40, 40, 40, 40), known=[3, 45])  # of the first two
    assert set(which[table.load(name)(here, 2)].tolist()) == {2, 3}


def test_cover_is_as_good_as_greed_promises():
    """At least 1 − 1/e of the best of all subsets (Nemhauser et al., 1978)."""
    z, _ = blobs((5, 5, 4), spread=0.3)
    here = Space(z)
    likeness = first._likeness(here, 3)
    best = max(
        float(likeness[list(subset)].amax(dim=0).sum())
        for subset in itertools.combinations(range(len(z)), 3)
    )
    found = float(likeness[first.covering(here, 3)].amax(dim=0).sum())
    assert found >= (1 - np.exp(-1)) * best


def test_far_comes_within_twice_the_best_radius():
    z, _ = blobs((5, 5, 4), spread=0.3)

    def radius(subset):
        return float(torch.cdist(z, z[list(subset)]).amin(dim=1).max())

    best = min(radius(s) for s in itertools.combinations(range(len(z)), 3))
    assert radius(first.far(Space(z), 3)) <= 2 * best


def test_typical_sample_has_the_nearest_neighbours():
    z = torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.0, 0.1], [-3.0, -3.0]])
    assert first._densest(z, [0, 1, 2, 3], [0, 1, 2, 3]) == 0


def test_unsure_samples_are_asked_and_not_the_same_twice():
    z, which = blobs((50, 50, 50), spread=0.01)
    answers = torch.full((150, 2), 0.5)
    answers[which == 2] = torch.tensor([1.0, 0.0])  # of these nothing need be asked
    for name in ("margin", "entropy"):
        chosen = table.load(name)(Space(z, answers=answers), 2)
        assert sorted(which[chosen].tolist()) == [0, 1]


def test_uncertainty_without_a_model_is_refused():
    z, _ = blobs((5, 5))
    with pytest.raises(UserError, match="fine-tuned for classes"):
        table.load("margin")(Space(z), 2)


def test_kmeans_finds_what_scikit_learn_finds():
    from sklearn.cluster import KMeans

    z, _ = blobs((30, 40, 20, 35), spread=0.15)
    belongs, centres = kmeans(z, 4, torch.Generator().manual_seed(0))
    inertia = float((z - centres[belongs]).pow(2).sum())
    theirs = KMeans(4, n_init=5, random_state=0).fit(z.numpy()).inertia_
    assert inertia == pytest.approx(theirs, rel=1e-4)


# ------------------------------------------------------------------ the labels file


def written(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return path


def test_file_hides_all_other_labels_and_overrules_those_of_the_data(tmp_path):
    samples = Samples(np.zeros((5, 2)), np.array([10, 11, 12, 13, 14]))
    found = label_file.labelled_by(samples, written(tmp_path, "name,label\n3,\n1,99\n"))
    assert found.has_label.tolist() == [False, True, False, True, False]
    assert found.targets[[1, 3]].tolist() == [99, 13]


@pytest.mark.parametrize(
    ("labels", "kind"), [(("cat", "dog"), "U"), (("1", "2"), "i"), (("1.5", "2"), "f")]
)
def test_data_without_labels_get_those_of_the_file(tmp_path, labels, kind):
    text = f"name,label\n0,{labels[0]}\n2,{labels[1]}\n"
    found = label_file.labelled_by(Samples(np.zeros((3, 2))), written(tmp_path, text))
    assert found.targets.dtype.kind == kind
    assert found.targets[[0, 2]].astype(str).tolist() in (list(labels), ["1.5", "2.0"])


def test_labels_that_begin_with_zeros_are_labels_of_their_own(tmp_path):
    text = "name,label\n0,007\n1,7\n2,07\n"
    found = label_file.labelled_by(Samples(np.zeros((3, 2))), written(tmp_path, text))
    assert found.targets.tolist() == ["007", "7", "07"]
    numbers = Samples(np.zeros((3, 2)), np.array([7, 8, 7]))
    with pytest.raises(UserError, match="the label '007' is not such a number as the data have"):
        label_file.labelled_by(numbers, written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\n7,1\n", "names 1 samples that train does not have, such as '7'"),
        ("name,label\n1,a\n1,b\n", "line 3: '1' is there twice"),
        ("name,label\n1,\n2,x\n", "1 of 2 samples have no label yet, such as '1'"),
        ("file,class\n1,a\n", "expected the columns 'name' and 'label'"),
        ("name,label\n", "names no sample"),
    ],
)
def test_faults_of_the_file_are_named(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        label_file.labelled_by(Samples(np.zeros((3, 2))), written(tmp_path, text))


# ------------------------------------------------------------------ the command


def test_chosen_samples_are_the_budget_of_a_finetuning(tmp_path, capsys, encoder_run):
    chosen, more, model = (tmp_path / name for name in ("chosen.csv", "more.csv", "model"))
    label = ["label", str(encoder_run.path), "digits", "--quiet", "--json"]
    assert main([*label, "--count", "30", "--out", str(chosen)]) == 0
    names = json.loads(capsys.readouterr().out)["names"]
    train = open_dataset("digits").train
    assert set(names) <= {train.name(i) for i in range(len(train))}
    assert main(["finetune", "digits", "--from", str(encoder_run.path), "--labels-from",
                 str(chosen), "--steps", "20", "--out", str(model), "--no-report", "--quiet",
                 "--json"]) == 0  # fmt: skip
    result = json.loads(capsys.readouterr().out)
    assert result["labels"] == 30
    assert result["test"]["accuracy"] > 0.5
    assert main(["label", str(model), "digits", "--known", str(chosen), "--count", "10",
                 "--out", str(more), "--quiet", "--json"]) == 0  # fmt: skip
    assert not set(json.loads(capsys.readouterr().out)["names"]) & set(names)


def test_what_a_finetuning_would_set_apart_is_not_chosen(tmp_path, capsys, encoder_run):
    path = tmp_path / "new.npz"
    np.savez(path, x=load_digits().images[:100].astype(np.uint8) * 16)
    learned = ensure_test(open_dataset(str(path)), 0).train
    assert main(["label", str(encoder_run.path), str(path), "--count", str(len(learned)),
                 "--out", str(tmp_path / "all.csv"), "--quiet", "--json"]) == 0  # fmt: skip
    names = json.loads(capsys.readouterr().out)["names"]
    assert sorted(names) == sorted(learned.name(i) for i in range(len(learned)))


def test_from_python(tmp_path, encoder_run):
    out = tmp_path / "these.csv"
    names = hs.label(encoder_run, "digits", count=12, out=out, rule="far")
    assert list(label_file.read(out)) == names
    assert len(set(names)) == 12
    more = hs.label(str(encoder_run.path), "digits", count=3, known=out)
    assert not set(more) & set(names)
    with pytest.raises(UserError, match="labels may be in it"):
        hs.label(encoder_run, "digits", count=12, out=out)
    with pytest.raises(UserError, match="--count"):
        hs.label(encoder_run, "digits", count=10_000)


@pytest.mark.parametrize("told", [["--target", "the kind"], []])
@pytest.mark.parametrize("own", [True, False])
def test_the_command_that_it_names_next_is_one_that_runs(tmp_path, capsys, told, own):
    data, out, model = (str(tmp_path / n) for n in ("my table.csv", "my labels.csv", "m"))
    rows = [f"{i % 7},{i % 5},{i % 3},{'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "my table.csv").write_text("\n".join(["x,y,z,the kind", *rows]) + "\n")
    hs.pretrain(
        data, target="the kind", objective="denoising", out=model, steps=1, report=False,
        set={"data.split_seed": 7},
    )  # fmt: skip
    if not own:
        others = [f"{i % 6},{i % 5},{i % 4},{'aab'[i % 3]}" for i in range(70)]
        data = str(tmp_path / "others.csv")
        (tmp_path / "others.csv").write_text("\n".join(["x,y,z,the kind", *others]) + "\n")
    capsys.readouterr()
    assert main(["label", model, data, *told, "--count", "20", "--out", out]) == 0
    said = " ".join(capsys.readouterr().err.split())
    command = shlex.split(said.partition("then headstart ")[2])
    assert command[-2:] == ["--out", "MODEL"]
    assert command[2:4] == ["--target", "the kind"]
    command[-1] = str(tmp_path / "tuned")
    assert main([*command, "--steps", "1", "--no-report", "--quiet"]) == 0


def test_mistakes_of_the_command_are_named(tmp_path, capsys, encoder_run):
    run, out = str(encoder_run.path), str(tmp_path / "x.csv")
    for arguments, message in (
        (["label", run, "digits", "--out", out], "--count N"),
        (["label", run, "digits", "--count", "5", "--steps", "9", "--classes", "a,b", "--out", out],
         "only a page has --classes, --steps"),
        (["label", run, "digits", "--count", "5", "--port", "0", "--out", out], "Add --page"),
        (["label", run, "digits", "--count", "0", "--out", out], "at least 1"),
        (["label", run, "digits", "--count", "99999", "--out", out], "train has"),
        (["label", run, "digits", "--count", "5", "--rule", "coverin", "--out", out], "covering"),
        (["label", run, "digits", "--count", "5", "--rule", "margin", "--out", out], "fine-tuned"),
        (["label", str(tmp_path), "digits", "--count", "5", "--out", out], "not a run"),
        (["finetune", "digits", "--labels", "9", "--labels-from", out, "--out",
          str(tmp_path / "m")], "leave --labels"),
    ):  # fmt: skip
        assert main(arguments) == 2, arguments
        assert message in capsys.readouterr().err
    assert not (tmp_path / "x.csv").exists()
    assert not (tmp_path / "m").exists()
