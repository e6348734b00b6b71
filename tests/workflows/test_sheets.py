"""Sheets of new samples, and the report of a run that makes some."""

import numpy as np
import torch
from PIL import Image

import headstart as hs
from headstart.report import build
from headstart.workflows.sheets import tiled


def test_tiles_are_laid_row_by_row():
    x = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 1, 2, 3)
    sheet = tiled(x, 2)
    assert sheet.shape == (1, 6, 6)
    assert sheet[0, ::2, ::3].tolist() == [[0, 1], [2, 3], [4, 0]]


def test_a_games_run_leaves_sheets_and_its_figures_and_reports_them(tmp_path):
    run = hs.pretrain(
        "digits", objective={"name": "gan", "width": 4, "code": 4},
        backbone={"name": "mlp", "widths": [16, 8]}, steps=8, out=tmp_path / "run",
        config=_every_four_steps(tmp_path),
    )  # fmt: skip
    sheets = sorted((run.path / "samples").iterdir())
    assert [sheet.name for sheet in sheets] == ["step-000004.png", "step-000008.png"]
    first, last = (pixels(sheet) for sheet in sheets)
    assert first.shape == (64, 64)
    assert not np.array_equal(first, last)
    health = run.result["health"]
    assert health["frechet_distance"] > 0
    assert health["diversity"] > 0
    assert {"loss", "diversity", "reconstruction"} <= run.result["val"].keys()
    build(run.path)
    names = {path.stem for path in (run.path / "plots").iterdir()}
    assert {"samples", "reconstructions", "loss"} <= names


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def _every_four_steps(folder):
    path = folder / "more.yaml"
    path.write_text("training: {validate_every: 4 steps, threads: 1}\n")
    return path
