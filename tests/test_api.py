import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from sklearn.datasets import load_digits

import headstart as hs
from headstart.data.inputs import open_inputs


def test_a_run_answers(model_run, tmp_path):
    assert model_run.evaluate()["accuracy"] == model_run.result["test"]["accuracy"]
    assert "accuracy" in repr(model_run)
    path = tmp_path / "seven.png"
    Image.fromarray((load_digits().images[7] * 15).astype("uint8")).save(path)
    answers = model_run.predict([path])
    assert answers["name"].tolist() == [str(path)]
    assert model_run.embed(load_digits().images[:4]).shape == (4, 128)
    assert hs.load(model_run.path).config == model_run.config


def test_mistakes_are_named(tmp_path):
    with pytest.raises(hs.UserError, match="did you mean patience"):
        hs.finetune("digits", patienc=3, out=tmp_path / "r")
    with pytest.raises(hs.UserError, match="no run"):
        hs.load(tmp_path / "r")
    with pytest.raises(hs.UserError, match="there is no file"):
        open_inputs([tmp_path / "gone.png"])


def test_the_readmes_python_runs(tmp_path, monkeypatch, capsys):
    """As it stands, but for fewer steps."""
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    exec(compile(re.sub(r"steps=\d+", "steps=60", code), "README.md", "exec"), {})
    assert float(capsys.readouterr().out) > 0.5


def test_importing_headstart_does_not_import_torch():
    code = "import sys, headstart; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
