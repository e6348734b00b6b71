"""What a comparison asks for: every cell is of one network and one draw, whatever it is beside."""

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from headstart.cli.parser import build_parser
from headstart.cli.study import _config
from headstart.data import budget
from headstart.data.dataset import Dataset, Samples
from headstart.errors import UserError
from headstart.settings import as_plain
from headstart.study import cells, plan, results
from headstart.study.config import CompareConfig, check
from headstart.study.recommend import _budgets
from headstart.workflows.request import config_of


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, (60, 8, 8)).astype(np.uint8)
    y = np.repeat([0, 1], [45, 15])
    return Dataset("pictures", "image", {"train": Samples(x, y), "test": Samples(x, y)})


def made(folder, data, **settings):
    raw = {"data": {"path": "pictures"}, "labels": [8], "seeds": 2, "baselines": [], **settings}
    config = config_of(CompareConfig, raw)
    check(config)
    return plan.make(config, folder, plan.modality_of(config, data), data)


def pretrained(folder, kind="image", **modality):
    """As much of a finished run as a plan reads."""
    folder.mkdir(parents=True)
    config = {"command": "pretrain", "backbone": {"name": "mlp"}, "modality": {"name": kind}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "preprocessing.json").write_text(json.dumps({"modality": kind, **modality}))
    (folder / "model.safetensors").write_bytes(b"")
    return str(folder)


def files(made_plan, method):
    return {i.name for i in made_plan.items if i.method and i.method.name == method}


def test_runs_of_the_same_name_are_kept_apart(tmp_path, pictures):
    one, other = (pretrained(tmp_path / name / "encoder") for name in "ab")
    both = made(tmp_path, pictures, start=[one, other])
    assert [s.name for s in both.sources] == ["encoder", "b-encoder"]
    names = [item.name for item in both.items]
    assert len(set(names)) == len(names)
    # Alone the second is called by the first's name: what was done of the first is not its own.
    alone = made(tmp_path, pictures, start=[other])
    assert files(alone, "encoder") == files(both, "b-encoder")
    probes = {cells.path_of(p, i) for p in (both, alone) for i in p.items if i.kind == "features"}
    assert len(probes) == 2


def test_a_given_run_is_not_taken_for_an_objective_of_its_name(tmp_path, pictures):
    run = pretrained(tmp_path / "vicreg")
    before = made(tmp_path, pictures, start=[run])
    after = made(tmp_path, pictures, start=[run], objectives=["vicreg"])
    assert not files(before, "vicreg") & files(after, "vicreg")


def test_cells_from_scratch_stay_those_of_their_network_in_any_order(tmp_path, pictures):
    conv = made(tmp_path, pictures, objectives=["vicreg"])
    cell = next(i for i in conv.items if i.method and i.method.way == "scratch")
    path = cells.path_of(conv, cell)
    path.parent.mkdir()
    figures = {"error": 0.25, "n": 4, "confidence_interval": [0, 1]}
    kept = {"method": "from scratch", "asked": 8, "labels": 8, "seed": 0, "figures": figures}
    path.write_text(json.dumps({**kept, "wall_seconds": 1.0, "cpu_seconds": 1.0}))
    extended = made(tmp_path, pictures, objectives=["masked", "vicreg"])
    found = {m["name"]: m["points"][0]["mean"] for m in results.gather(extended)["methods"]}
    assert found["from scratch"] is None  # that is the masked one's, a vit
    assert found["from scratch (conv)"] == 0.25


def test_draws_are_finetunes_with_its_settings(tmp_path, pictures):
    natural = made(tmp_path, pictures, objectives=["vicreg"], finetune={"label_draw": "natural"})
    wanted = budget.choose(
        pictures.train, classes=True, labels=8, per_class=None, seed=1, equal=False
    )
    assert natural.draw(8, 1).tolist() == sorted([*wanted.train, *wanted.validation])
    assert pictures.train.targets[natural.draw(8, 1)].sum() == 2  # of 8, as frequent as it is


def test_a_class_with_few_labels_comes_with_a_way_out(tmp_path, pictures):
    with pytest.raises(UserError, match="labels in train; 50 were asked for") as refused:
        made(tmp_path, pictures, labels=[100])
    assert refused.value.hints[0] == "Use --label-draw natural, or --labels 30."
    assert len(made(tmp_path, pictures, labels=[30]).draw(30, 0)) == 30
    natural = made(tmp_path, pictures, labels=[40], finetune={"label_draw": "natural"})
    assert len(natural.draw(40, 0)) == 40
    with pytest.raises(UserError, match="20 were asked") as refused:
        budget.choose(pictures.train, classes=True, labels=None, per_class=20, seed=0)
    assert refused.value.hints[0] == "Use --labels-per-class 15."
    assert _budgets({"labels": 60, "task": "classification", "distinct_labels": 2,
                     "fewest_of_a_label": 15}) == [10]  # fmt: skip


def test_the_command_draws_labels_as_it_is_told():
    told = ["compare", "digits", "--out", "o", "--label-draw", "natural"]
    assert _config(build_parser().parse_args(told)).finetune == {"label_draw": "natural"}


def test_all_labels_are_not_compared_twice(tmp_path, pictures):
    with pytest.raises(UserError, match="--labels all are 30, which are named too"):
        made(tmp_path, even(pictures), labels=[8, 30, "all"])


def even(data):
    few = data.train.take(np.arange(30, 60))  # fifteen of each class
    return data.with_splits({**data.splits, "train": few})


def test_a_run_of_another_kind_is_refused_before_anything_is_done(tmp_path, pictures):
    run = pretrained(tmp_path / "texts", "text")
    with pytest.raises(UserError, match="of kind 'text'; pictures is of kind 'image'"):
        made(tmp_path, pictures, start=[run])


@pytest.mark.parametrize("metric", ["confidence_interval", "n", "f1_2", "rmse"])
def test_what_no_answer_is_judged_by_is_refused_before_anything_is_done(tmp_path, pictures, metric):
    with pytest.raises(UserError, match=f"no figure '{metric}'") as caught:
        made(tmp_path, pictures, metric=metric)
    assert "f1_0, f1_1" in caught.value.hints[0]


@pytest.mark.parametrize(
    ("task", "targets", "metric", "fits"),
    [
        ({"name": "regression"}, [1.0, 2.0, 4.0, 8.0], "interval_width", False),
        ({"name": "regression", "loss": "quantile"}, [1.0, 2.0, 4.0], "interval_width", True),
        ({"name": "regression"}, [1.0, 2.0, 4.0, 8.0], "mean_predictor_mse", False),
        ({"name": "multilabel"}, ["a", "a|b", "b", "|"], "f1_b", True),
        ({"name": "multilabel"}, ["a", "a|b", "b", "|"], "accuracy", False),
        ({"name": "classification"}, ["a", "b"], "loss", True),
    ],
)
def test_figures_to_compare_by_are_those_of_the_task(
    tmp_path, pictures, *, task, targets, metric, fits
):
    y = np.array(targets * (60 // len(targets)))
    data = pictures.with_splits({n: replace(s, targets=y) for n, s in pictures.splits.items()})
    asked = {"task": task, "metric": metric, "labels": [40], "seeds": 1}
    if fits:
        assert results.metric_of(made(tmp_path, data, **asked)) == metric
    else:
        with pytest.raises(UserError, match=f"no figure '{metric}'"):
            made(tmp_path, data, **asked)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objectives": ["vicreg", "vicreg"]}, "--objective names vicreg twice"),
        ({"start": ["a", "a"]}, "--from names a twice"),
        ({"finetune": {"label_seed": 1}}, "--set finetune.label_seed"),
    ],
)
def test_what_would_not_mean_anything_is_refused(settings, message):
    plain = as_plain(config_of(CompareConfig, settings))
    with pytest.raises(UserError, match=message):
        check(config_of(CompareConfig, plain))
