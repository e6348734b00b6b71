"""The table of objectives: its page is made of its figures, and its command runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "objectives.py"


FOUND = {
    "protocol": {
        "minutes": 0.5, "draws": 2, "finetune_steps": 600, "size": None, "labels_per_class": 10,
        "date": "2026-11-25",
    },
    "rows": {
        "mnist/pixels": {"linear": [0.7, 0.8], "neighbours": [0.6, 0.6]},
        "mnist/simclr": {
            "linear": [0.9, 0.9], "neighbours": [0.9, 0.9], "fine-tuned": [0.93, 0.95],
            "steps": 1234, "backbone": "conv",
        },
        "mnist/masked": {
            "linear": [0.5, 0.5], "neighbours": [0.5, 0.5], "fine-tuned": [0.5, 0.5],
            "steps": 10, "backbone": "vit",
        },
    },
}  # fmt: skip


def test_the_page_is_made_of_the_figures(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    import objectives

    page = objectives.page(FOUND)
    rows = [line for line in page.splitlines() if line.startswith("| ")][2:]
    assert rows[0] == "| simclr | 1234 | 90.0% ± 0.0% | 90.0% ± 0.0% | 94.0% ± 1.0% |"
    assert rows[1].startswith("| masked (vit) | 10 |")
    assert rows[2] == "| pixels |  | 75.0% ± 5.0% | 60.0% ± 0.0% |  |"
    assert "100 labels" in page
    assert "30 s of one processor" in " ".join(page.split())


@pytest.mark.slow
def test_its_command_runs_on_a_data_set_of_arrays(tmp_path):
    import numpy as np
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x, y = (bunch.images * 15).astype(np.uint8), bunch.target
    np.savez(tmp_path / "d.npz", x_train=x[:1_400], y_train=y[:1_400], x_test=x[1_400:],
             y_test=y[1_400:])  # fmt: skip
    command = [sys.executable, SCRIPT, tmp_path / "d.npz", "--out", tmp_path / "o", "--quick",
               "--objective", "autoencoder", "masked"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "| masked (vit) |" in done.stdout
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "processor_seconds" not in again.stdout  # every row is there already
    rows = json.loads((tmp_path / "o" / "objectives.json").read_text())["rows"]
    assert set(rows) == {
        f"d.npz/{name}" for name in ("pixels", "from scratch", "untrained", "autoencoder", "masked")
    }
