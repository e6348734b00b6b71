import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from headstart.data.dataset import Dataset, Samples
from headstart.modalities.numeric import Numeric, NumericConfig
from headstart.report import build, pictures
from headstart.report.build import _labels, _test
from headstart.report.page import _figures
from headstart.tasks.classification import Classification, ClassificationConfig


@pytest.fixture(scope="module")
def page(model_run):
    return build(model_run.path).read_text()


def test_page_is_self_contained_and_agrees_with_the_result(page, model_run):
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert f"{model_run.result['test']['accuracy']:.4f}" in page
    names = {path.stem for path in (model_run.path / "plots").iterdir()}
    assert {"loss", "confusion", "map", "mistakes", "augmentation"} <= names


def test_pretraining_shows_reconstructions(encoder_run):
    build(encoder_run.path)
    assert (encoder_run.path / "plots" / "reconstructions.png").stat().st_size > 1000


def test_report_survives_lost_data_and_escapes_what_it_shows(tmp_path, encoder_run):
    run = tmp_path / "run"
    shutil.copytree(encoder_run.path, run)
    config = (run / "config.yaml").read_text().replace("path: digits", "path: gone")
    (run / "config.yaml").write_text(config)
    result = json.loads((run / "result.json").read_text())
    result["notes"] = ["<script>alert(1)</script>"]
    (run / "result.json").write_text(json.dumps(result))
    page = build(run).read_text()
    assert "could not be read again" in page
    assert "<script>alert" not in page


def test_the_page_says_at_what_temperature_and_what_was_tried():
    tried = [
        {"objective": "byol", "score": 0.15},
        {"objective": "masked", "score": None},
        {"objective": "simclr", "score": 0.4},
    ]
    rows = dict(
        _figures(
            {
                "test": {"accuracy": 0.9, "ece": 0.0123},
                "calibration": {"temperature": 1.25},
                "bakeoff": {"judged_by": "views found", "tried": tried},
            }
        )
    )
    assert rows["test ece"] == "0.0123"
    assert rows["temperature of probabilities"] == "1.250"
    assert rows["tried, by views found"] == "simclr 0.400, byol 0.150"


def test_the_map_tells_which_sample_a_point_is(page, model_run):
    told = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])
    assert len(told["places"]) == len(told["texts"]) == model_run.result["test"]["n"] == 359
    assert all(0 <= value <= 100 for place in told["places"] for value in place)
    assert re.fullmatch(r"\d: sample .*", told["texts"][0])
    assert (told["pictures"], told["size"]) == (359, [8, 8])
    assert "1,438, 1,438 of them with a label" in page


def test_a_test_split_without_labels_is_shown_and_not_judged():
    x = Samples(np.random.default_rng(0).random((4, 2)))
    run = SimpleNamespace(task=object(), modality=Numeric.fit(x, NumericConfig()))
    seen, samples = _test(run, Dataset("rows", "table", {"train": x, "test": x}))
    assert (len(seen), len(samples), _labels(samples)) == (4, 4, None)


def test_classes_with_dollars_are_no_mathematics():
    task = Classification(ClassificationConfig(), 2, {"classes": ["US$ {", "AU$ }"]})
    outputs = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    plot = pictures.mistakes(task, lambda _: torch.zeros(1, 4, 4), outputs, torch.tensor([1, 1]))
    assert plot.data.startswith("data:image/png")
