"""The page of a search: self-contained, complete, its trials told apart, repeated by its file."""

import json
import re
import shutil

import pytest

pytest.importorskip("optuna")

import headstart as hs
from headstart.cli import main
from headstart.errors import UserError
from headstart.runs.atomic import write_json
from headstart.settings.files import read_yaml, to_yaml
from headstart.study import tuning_page
from headstart.study.axis import Axis, of_figures
from headstart.study.figures import kind_of
from headstart.study.tuning import tune
from headstart.study.tuning_config import ASKED, TuneConfig
from headstart.study.tuning_journal import Journal
from headstart.study.tuning_spaces import Choice, Knob, Span
from headstart.workflows.config import FinetuneConfig
from headstart.workflows.request import config_of


def trial(number, state, value=None, reached=None, **more):
    changed = {} if number == 0 else {"training.lr": 0.01 * number, "backbone.widths": [8, 4]}
    values = {"training.lr": 1.0 + number, "backbone.widths": [8, 4] if number else None}
    return {
        "number": number, "state": state, "value": value, "seconds": 2.0, "why": "",
        "reached": reached, "values": values, "changed": changed, **more,
    }  # fmt: skip


TRIED = [
    trial(0, "complete", 0.8),
    trial(1, "complete", 0.7),
    trial(2, "pruned", None, {"share": 0.35, "value": 0.5}),
    trial(3, "complete", 0.9),
    trial(4, "fail", why="<b>it is no number"),
    trial(5, "running"),
]
KNOBS = [
    {"name": "training.lr", "share": True, "importance": 0.25, "low": 0.05, "high": 20, "log": True,
     "default": 1.0},
    {"name": "backbone.widths", "share": False, "importance": 0.75, "values": [None, [8, 4]]},
]  # fmt: skip


def result(**more):
    return {
        "data": "<b>photos", "metric": "accuracy", "direction": "maximize", "folds": 2,
        "trials": {"complete": 3, "pruned": 1, "fail": 1, "running": 1},
        "default": 0.8, "best": 0.9, "best_trial": 3, "changed": {"training.lr": 0.03},
        "importance": {"training.lr": 0.25, "backbone.widths": 0.75}, "seconds": 12.0,
        "commands": ["headstart finetune --config t/best.yaml --out RUN"],
        "about": {"kind": "image", "samples": 900, "labels": 60, "task": "classification",
                  "backbone": "mlp", "given": {"backbone.dropout": 0.5}},
        "varied": KNOBS, "tried": TRIED, "versions": {"torch": "2"}, **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    write_json(folder / tuning_page.RESULT, result())
    asked = {"data": {"path": "<b>photos"}, "search": {"trials": 6, "prune": True}}
    (folder / ASKED).write_text(to_yaml(asked))
    (folder / "best.yaml").write_text("# trial 3\nseed: 7\n")
    return tuning_page.build(folder)


def test_page_is_self_contained_and_escapes_what_it_shows(page):
    text = page.read_text()
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "http" not in text
    assert "<b>" not in text
    assert "&lt;b&gt;photos" in text
    assert "could not be trained: &lt;b&gt;it is no number" in text


def test_verdict_comes_first_and_the_ways_to_repeat_are_there(page):
    text = page.read_text()
    told = [
        "Trial 3 is the best", "What was asked", "backbone.dropout 0.5", "How the search went",
        "What mattered", "All trials", "To repeat it", "headstart finetune --config t/best.yaml",
        f"headstart tune --config {page.parent / ASKED} --out {page.parent} --trials 12",
        f"headstart tune --config {page.parent / ASKED} --out NEW", "seed: 7",
    ]  # fmt: skip
    places = [text.find(part) for part in told]
    assert min(places) > 0
    assert places == sorted(places)


def test_every_trial_is_a_mark_that_says_how_it_ended(page):
    marks = re.findall(
        r'class="point" tabindex="0" role="img" aria-label="([^"]+)".*?class="(\w+)"(.*?)style',
        page.read_text(),
    )
    said, kinds, _ = zip(*marks, strict=True)
    assert said[0] == "trial 0: accuracy 0.8000, the defaults; nothing changed"
    assert said[2].startswith("trial 2: ended early after 35% of its training, at accuracy 0.5000;")
    assert said[3].endswith("the best; training.lr 0.03, backbone.widths [8, 4]")
    assert said[5].startswith("trial 5: has not ended;")
    assert kinds == ("dot", "dot", "hollow", "dot", "hollow", "hollow")
    assert len({shape for _, _, shape in marks}) == 6 - 1  # two are hollow, by colour apart


def test_table_has_the_best_first_and_those_without_a_figure_last(page):
    rows = re.findall(r'<tr class="(\w+)"><th scope="row" class="number">(\d)', page.read_text())
    assert rows == [
        ("best", "3"), ("defaults", "0"), ("complete", "1"), ("pruned", "2"), ("running", "5"),
        ("fail", "4"),
    ]  # fmt: skip


def test_what_mattered_most_comes_first_and_a_moved_setting_is_marked(page):
    rows = re.findall(r'<tr><th scope="row">([\w.]+\.[\w.]+)</th>(.*?)</tr>', page.read_text())
    assert [name for name, _ in rows] == ["backbone.widths", "training.lr"]
    assert "75.0%" in rows[0][1]
    assert '<td class="best">4 × usual</td><td class="soft">0.05 to 20 × usual' in rows[1][1]


def test_errors_get_better_downwards():
    found = result(metric="rmse", direction="minimize", best=0.7, best_trial=1)
    text = tuning_page.rendered(found, {}, tuning_page.Path("t"))
    rows = re.findall(r'<tr class="(\w+)"><th scope="row" class="number">(\d)', text)
    assert rows[:3] == [("best", "1"), ("defaults", "0"), ("complete", "3")]
    path = re.search(r'class="curve" d="M[\d.]+,([\d.]+) H[\d.]+ V([\d.]+) H[\d.]+"', text)
    assert float(path[1]) < float(path[2])  # down the page, from the defaults to the best


def test_nothing_better_and_nothing_ended_are_said():
    same = result(best=0.8, best_trial=0, changed={}, importance={})
    assert "Nothing was better than the defaults" in tuning_page.verdict(same)
    none = result(
        best=None, best_trial=None, default=None, changed={}, importance={}, tried=[TRIED[5]],
        trials={"complete": 0, "pruned": 0, "fail": 0, "running": 1},
    )  # fmt: skip
    text = tuning_page.rendered(none, {}, tuning_page.Path("t"))
    assert "No trial has ended yet" in text
    assert "1 of the trials begun has not ended" in text
    assert "headstart finetune" not in text


def test_an_axis_has_round_numbers_and_holds_what_it_is_of():
    axis = of_figures([0.61, 0.93], kind_of("accuracy"), 300, 20)
    assert axis.low < 0.61
    assert 0.93 < axis.high <= 1
    assert [round(v, 3) for v in axis.round_numbers()] == [0.6, 0.7, 0.8, 0.9]
    assert axis.at(axis.low) == 300
    assert 20 < axis.at(0.93) < axis.at(0.61) < 300
    ratios = of_figures([0.01, 3.0], kind_of("mse"), 0, 1)
    assert ratios.logarithmic
    assert 0.1 in ratios.round_numbers()
    assert Axis(2, 2, 0, 10).at(2) == 5


# ------------------------------------------------------------------ of a search on disk

SHORT = {
    "data": {"path": "digits"},
    "labels": 60,
    "training": {"duration": "3 steps", "batch_size": 16},
    "backbone": {"name": "mlp", "widths": [32]},
}


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    out = tmp_path_factory.mktemp("searches") / "t"
    tune(config_of(FinetuneConfig, SHORT), out, TuneConfig(trials=2, folds=2))
    return out


def test_report_writes_a_search_again_and_tells_what_was_killed(search, tmp_path, capsys):
    out = tmp_path / "t"
    shutil.copytree(search, out)
    (out / "report.html").unlink()
    before = json.loads((out / "result.json").read_text())
    assert [t["state"] for t in before["tried"]] == ["complete", "complete"]
    knobs = [
        Knob(k["name"], Choice(tuple(tuple(v) if isinstance(v, list) else v for v in k["values"])), 0)
        if "values" in k else Knob(k["name"], Span(k["low"], k["high"], k["log"]), 0)
        for k in before["varied"]
    ]  # fmt: skip
    journal = Journal(out, knobs, seed=0, direction="maximize", prune=True)
    with journal.next(3) as third:  # of a process that died, with a figure on the way
        third.report(0.25, 50)
    assert main(["report", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out / "report.html")
    text = (out / "report.html").read_text()
    assert "trial 2: has not ended after 25% of its training, at accuracy 0.2500" in text
    assert "1 of the trials begun has not ended" in text
    assert "60 labels of them used" in text
    assert hs.Tuning(out).report() == out / "report.html"


def test_report_shows_what_was_gathered_where_the_data_are_gone(search, tmp_path):
    out = tmp_path / "t"
    shutil.copytree(search, out)
    asked = read_yaml(out / ASKED)
    (out / ASKED).write_text(to_yaml({**asked, "data": {**asked["data"], "path": "nowhere"}}))
    text = hs.Tuning(out).report().read_text()
    assert "trial 1: accuracy" in text
    (out / "result.json").unlink()
    with pytest.raises(UserError, match="nowhere"):
        hs.Tuning(out).report()


def test_the_file_of_a_search_repeats_it(search, tmp_path, capsys):
    out = tmp_path / "again"
    command = ["tune", "--config", str(search / ASKED), "--out", str(out), "--quiet", "--json"]
    assert main(command) == 0
    again = json.loads(capsys.readouterr().out)
    first = hs.Tuning(search).result
    for name in ("default", "best", "best_trial", "changed", "trials", "varied"):
        assert again[name] == first[name], name
    assert [t["changed"] for t in again["tried"]] == [t["changed"] for t in first["tried"]]
    assert read_yaml(out / ASKED) == read_yaml(search / ASKED)
    found = hs.tune("digits", config=search / ASKED, out=out, trials=2)  # the same, so it is there
    assert found.result["tried"] == again["tried"]


def test_report_of_a_labelling_names_its_models(tmp_path, capsys):
    (tmp_path / "labelling.yaml").write_text("run: a\ndata: digits\n")
    assert main(["report", str(tmp_path)]) == 2
    assert "None was fine-tuned yet" in capsys.readouterr().err
    for number in (2, 10):
        (tmp_path / f"runs/{number}").mkdir(parents=True)
        (tmp_path / f"runs/{number}/result.json").write_text("{}")
    assert main(["report", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.index(f"headstart report {tmp_path}/runs/2") < said.index("runs/10")


@pytest.mark.slow
def test_a_mark_of_a_trial_is_read_by_keyboard_in_a_browser(page, chromium):
    tab = chromium.new_page(viewport={"width": 390, "height": 844})
    faults = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(page.as_uri())
    tab.locator("g.point").nth(2).focus()
    assert "ended early after 35% of its training" in tab.locator("#tip").inner_text()
    assert tab.locator("#tip").is_visible()
    tab.keyboard.press("Escape")
    assert not tab.locator("#tip").is_visible()
    wide = tab.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390  # tables scroll by themselves: the page does not
    assert not faults
