"""The example of a package that adds to headstart, as if it were installed."""

import csv
import tomllib
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import headstart as hs
from headstart import backbones, modalities, objectives, tasks
from headstart.cli import main
from headstart.errors import UserError
from headstart.tables import announced
from headstart.training import loggers

PLUGIN = Path(__file__).parents[1] / "examples" / "plugin"
TABLES = (backbones.table, modalities.table, objectives.table, tasks.table, loggers.table)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """What pip leaves of the package: its files where Python looks, and their announcement."""
    told = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    place = tmp_path / "site"
    info = place / f"headstart_example-{told['version']}.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {told['name']}\nVersion: {told['version']}\n"
    )
    lines = []
    for group, points in told["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {what}" for name, what in points.items())]
    info.joinpath("entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(place)
    monkeypatch.syspath_prepend(PLUGIN / "src")
    forget()
    yield info
    forget()


def forget():
    """Let packages be looked for anew."""
    announced.cache_clear()
    for table in TABLES:
        vars(table).pop("_plugins", None)


@pytest.mark.usefixtures("installed")
def test_everything_it_adds_is_listed_and_works(tmp_path, capsys):
    assert main(["list", "objectives"]) == 0
    assert "from headstart_example.alignment:Alignment" in capsys.readouterr().out
    encoder = hs.pretrain(
        "digits", objective={"name": "alignment", "uniformity": 0.5}, backbone="fourier", steps=20,
        log=("csv",), out=tmp_path / "encoder",
    )  # fmt: skip
    assert encoder.config["objective"]["uniformity"] == 0.5
    with (tmp_path / "encoder" / "progress.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"train/align", "train/uniform"} <= {row["name"] for row in rows}
    run = hs.finetune(
        "digits", start=encoder, task="robust-regression", labels=60, steps=10, out=tmp_path / "run"
    )
    assert run.predict("digits")["prediction"].shape[0] > 0
    assert run.evaluate()["mae"] == pytest.approx(run.result["test"]["mae"])


@pytest.mark.usefixtures("installed")
def test_its_mathematics():
    from headstart_example.alignment import alignment, uniformity

    torch.manual_seed(0)
    z = F.normalize(torch.randn(9, 4), dim=1)
    pairs = [(a - b).square().sum() for i, a in enumerate(z) for b in z[i + 1 :]]
    wanted = torch.stack([(-2 * d).exp() for d in pairs]).mean().log()
    torch.testing.assert_close(uniformity(z), wanted)
    assert float(alignment(z, -z)) == pytest.approx(4.0)


def test_what_cannot_be_imported_is_said(installed):
    installed.joinpath("entry_points.txt").write_text("[headstart.objectives]\nbroken = nowhere:No")
    with pytest.raises(UserError, match="announced as nowhere:No but cannot be imported"):
        objectives.table.load("broken")


def test_groups_are_called_as_documented(installed):
    installed.joinpath("entry_points.txt").write_text("[headstart.modalities]\nsmell = a:B")
    assert "smell" in modalities.table
