import json
import re
import shutil

from headstart.report import build


def test_page_is_self_contained_and_agrees_with_the_result(model_run):
    page = build(model_run.path).read_text()
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
    assert "<script>" not in page
