"""Fine-tuning by another augmentation than the pre-trained run's."""

import json

import numpy as np
import pytest
import yaml

import headstart as hs
from headstart.cli import main
from sounds import tones

SHORT = {"steps": 4, "batch_size": 8, "report": False}


def amounts(run, strength="weak"):
    return json.loads((run.path / "preprocessing.json").read_text())["augment"][strength]


def test_augmentation_may_be_chosen_anew_and_nothing_else_changes(encoder_run, tmp_path):
    chosen = {"kind": "none", "flip": 0.5, "strong": {"erase": 0.2}}
    run = hs.finetune(
        "digits", start=encoder_run, labels=50, modality={"augment": chosen}, out=tmp_path / "r",
        **SHORT,
    )  # fmt: skip
    acting = {n: a for n, a in amounts(run).items() if a and not n.endswith("_share")}
    assert acting == {"flip": 0.5}
    assert amounts(run, "strong")["erase"] == 0.2
    before, after = (
        json.loads((one.path / "preprocessing.json").read_text()) for one in (encoder_run, run)
    )
    assert before["augment"]["weak"]["rotate"] > 0  # what it was
    for name in ("size", "mean", "std"):
        assert after[name] == before[name]
    settings = yaml.safe_load((run.path / "config.yaml").read_text())["modality"]
    assert settings["augment"]["kind"] == "none"


def test_a_run_repeats_from_its_own_settings(encoder_run, tmp_path):
    """Its config.yaml tells the whole modality, which is the first run's but for augmentation."""
    args = ["digits", "--labels", "50", "--steps", "4", "--batch-size", "8", "--no-report"]
    start = ["--from", str(encoder_run.path)]
    one, two = tmp_path / "one", tmp_path / "two"
    asked = ["--set", "modality.augment.kind=none", "--out", str(one)]
    assert main(["finetune", *args, *start, *asked]) == 0
    assert main(["finetune", "--config", str(one / "config.yaml"), "--out", str(two)]) == 0
    first, second = ((path / "model.safetensors").read_bytes() for path in (one, two))
    assert first == second


def test_what_is_not_named_suits_pictures_as_the_run_reads_them(encoder_run, tmp_path):
    """Of 8×8 pixels, whatever the size of these: writing so coarse is turned by less."""
    large = np.random.default_rng(0).integers(0, 2, (40, 32, 32)).astype(np.uint8) * 255
    run = hs.finetune(
        (large, np.arange(40) % 2), start=encoder_run, out=tmp_path / "r",
        modality={"augment": {"kind": "digits"}}, **SHORT,
    )  # fmt: skip
    assert amounts(run, "strong")["rotate"] == amounts(encoder_run, "strong")["rotate"] == 15


def test_all_faults_are_told_at_once_before_the_data_are_read(encoder_run, tmp_path, capsys):
    args = ["nowhere.npz", "--from", str(encoder_run.path), "--out", str(tmp_path / "r")]
    sets = ["--set", "modality.augment.flpi=0.5", "--set", "finetune.mixup=-1"]
    assert main(["finetune", *args, "--task", "classification", *sets]) == 2
    said = capsys.readouterr().err
    assert "flpi" in said
    assert "mixup" in said


def test_rows_of_numbers_have_no_such_settings(tmp_path, capsys):
    path = tmp_path / "rows.npz"
    np.savez(path, x=np.random.default_rng(0).normal(size=(40, 4)), y=np.arange(40) % 2)
    first = hs.pretrain(path, out=tmp_path / "pre", **SHORT)
    args = ["finetune", str(path), "--from", str(first.path), "--out", str(tmp_path / "r")]
    assert main([*args, "--set", "modality.swap=0.5"]) == 2
    said = capsys.readouterr().err
    assert "leave its settings out, or leave" in said
    assert "augment" not in said


@pytest.mark.parametrize("setting", ["modality.size=20", "modality.normalise=false"])
def test_what_the_encoder_reads_stays_as_it_is(encoder_run, tmp_path, capsys, setting):
    out = tmp_path / "r"
    args = ["digits", "--from", str(encoder_run.path), "--set", setting, "--out", str(out)]
    assert main(["finetune", *args]) == 2
    assert "but for those of modality.augment" in capsys.readouterr().err
    assert not out.exists()


def test_series_too(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 1, 32)).astype(np.float32)
    path = tmp_path / "waves.npz"
    np.savez(path, series=x, y=np.arange(60) % 2)
    small = {"backbone": {"name": "tcn", "width": 8}}
    first = hs.pretrain(path, out=tmp_path / "pre", **small, **SHORT)
    still = dict.fromkeys(("jitter", "scale", "shift"), 0.0)
    run = hs.finetune(path, start=first, modality={"augment": still}, out=tmp_path / "run", **SHORT)
    before, after = (
        json.loads((one.path / "preprocessing.json").read_text()) for one in (first, run)
    )
    assert any(before["weak"].values())
    assert not any(after["weak"].values())
    assert after["mean"] == before["mean"]


def test_recordings_are_heard_through_other_channels(tmp_path):
    folder = tones(tmp_path / "tones")
    network = {"name": "audioconv", "widths": [4, 8], "dim": 16}
    first = hs.pretrain(str(folder), backbone=network, out=tmp_path / "pre", **SHORT)
    chosen = {"kind": "none", "equaliser": 9.0}
    run = hs.finetune(
        str(folder), start=first, modality={"augment": chosen}, out=tmp_path / "r", **SHORT
    )
    assert amounts(first)["warp"] > 0
    acting = {n: a for n, a in amounts(run).items() if a and not n.endswith("_share")}
    assert acting == {"equaliser": 9.0, "masks": 1}
