"""The model card: what huggingface_hub reads in it, and what it does not tell."""

import json

import pytest

import headstart as hs
from headstart.cli import main
from headstart.report.card import metadata


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    encoder = hs.pretrain("digits", steps=3, out=folder / "encoder")
    return encoder, hs.finetune("digits", start=encoder, steps=3, labels=50, out=folder / "model")


def test_the_hub_reads_its_head(runs):
    hub = pytest.importorskip("huggingface_hub")
    encoder, model = runs
    read = hub.ModelCard.load(str(model.card()))
    assert read.data.library_name == "headstart"
    assert read.data.pipeline_tag == "image-classification"
    figures = {r.metric_name: r.metric_value for r in read.data.eval_results}
    assert figures["accuracy"] == pytest.approx(model.result["test"]["accuracy"])
    assert {r.dataset_name for r in read.data.eval_results} == {"digits"}
    assert "50 labels of digits" in read.text
    read = hub.ModelCard.load(str(encoder.card()))
    assert read.data.pipeline_tag == "image-feature-extraction"
    assert read.data.eval_results is None


def test_its_code_runs(runs):
    card = runs[1].card().read_text()
    code = card.split("```python\n")[1].split("```")[0]
    names = {"inputs": "digits"}
    exec(code.replace("path/to/this/folder", str(runs[1].path)), names)
    assert names["run"].path == runs[1].path


def test_the_command_writes_it(runs, capsys):
    path = runs[1].path / "README.md"
    path.unlink(missing_ok=True)
    assert main(["card", str(runs[1].path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"card": str(path)}
    assert path.exists()


def test_what_the_hub_has_no_name_for_is_not_called_by_another():
    result = {"data": "waves", "task": "classification", "test": {"accuracy": 0.5}}
    found = metadata("model", {"modality": {"name": "series"}}, result)
    assert "pipeline_tag" not in found
    assert found["model-index"][0]["results"][0]["task"]["type"] == "series-classification"


def test_where_data_lay_is_not_told(runs):
    config = {"backbone": {"source": "/home/me/model"}, "modality": {"name": "text"}}
    result = {"data": "/home/me/secret/tweets", "task": "classification", "test": {"accuracy": 0.5}}
    found = metadata("model", config, result)
    assert "home" not in str(found)
    assert found["model-index"][0]["results"][0]["dataset"]["name"] == "tweets"
    config["backbone"]["source"] = "sentence-transformers/all-MiniLM-L6-v2@main"
    assert metadata("m", config, result)["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
