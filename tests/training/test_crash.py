"""Whatever ends a process, and whenever: what was saved is whole, and resuming loses nothing."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from forks import begun, ended, is_over
from headstart.cli import main
from headstart.errors import UserError
from headstart.runs.folder import RunFolder
from headstart.training import checkpoints
from headstart.workflows.config import PretrainConfig
from headstart.workflows.pretrain import pretrain
from headstart.workflows.request import config_of

ROOT = Path(__file__).parents[2]
RAW = {
    "data": {"path": "digits"},
    "backbone": {"name": "mlp", "widths": [16, 8]},
    "objective": {"name": "denoising"},
}
TRAINING = {"duration": "24 steps", "checkpoint_every": "5 steps", "ema": 0.9, "threads": 1}
COMMAND = [
    "pretrain", "digits", "--no-report", "--backbone", "mlp",
    "--set", "training.threads=1", "--set", "backbone.widths=[32,8]",
]  # fmt: skip


class Death(BaseException):
    """What stops the work where it stands."""


class Saying:
    """Collects sentences; a display that acts at a given progress."""

    def __init__(self, at=2.0, act=None):
        self.said = []
        self.at, self.act = at, act

    def __call__(self, sentence):
        self.said.append(sentence)

    def update(self, progress, text):
        if progress >= self.at:
            self.at = 2.0
            self.act()


def train(path, *, resume=True, display=None, say=lambda _: None, **training):
    config = config_of(PretrainConfig, {**RAW, "training": {**TRAINING, **training}})
    with RunFolder.create(path, resume=resume, overwrite=False) as folder:
        return pretrain(config, folder, resume=resume, display=display, say=say)


def same(one, other):
    one, other = (load_file(folder / "model.safetensors") for folder in (one, other))
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def lines(folder):
    records = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("crash") / "whole"
    train(folder)
    return folder


@pytest.mark.parametrize(
    "file",
    ["config.yaml", "preprocessing.json", "step-0000000005.safetensors",
     "step-0000000024.safetensors", "model.safetensors", "result.json"],
)  # fmt: skip
@pytest.mark.parametrize("renamed", [False, True])
def test_a_death_around_the_writing_of_any_file_changes_nothing(
    tmp_path, monkeypatch, whole, file, renamed
):
    replace = Path.replace

    def dying(self, target):
        if Path(target).name == file and not renamed:
            raise Death
        replace(self, target)
        if Path(target).name == file:
            raise Death

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(Death):
        train(tmp_path / "cut")
    monkeypatch.undo()
    train(tmp_path / "cut")
    assert same(whole, tmp_path / "cut")
    assert lines(whole) == lines(tmp_path / "cut")


def test_random_kills_across_jobs_are_all_resumed_to_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import kill

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = ended(begun(lambda: kill.main(["--quick"]), tmp_path / "said"))
    said = (tmp_path / "said").read_text()
    assert code == 0, said
    assert "0 jobs did not end alike" in said


def test_a_damaged_checkpoint_is_said_and_the_one_before_is_taken(tmp_path, whole):
    cut = tmp_path / "cut"
    with pytest.raises(UserError, match="cannot write"):
        train(cut, display=Saying(0.9, (cut / "result.json").mkdir))
    (cut / "result.json").rmdir()
    newest, before = RunFolder(cut).checkpoint_files()
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    saying = Saying()
    train(cut, say=saying)
    assert any(newest.name in s and "before it is taken" in s for s in saying.said)
    assert f"going on after step {int(before.name[5:15])} of 24" in saying.said
    assert same(whole, cut)


def test_only_the_newest_two_checkpoints_are_kept(whole):
    names = [path.name for path in RunFolder(whole).checkpoint_files()]
    assert names == ["step-0000000024.safetensors", "step-0000000020.safetensors"]


def test_what_a_killed_process_had_begun_to_write_is_swept_away(tmp_path, whole):
    shutil.copytree(whole, tmp_path / "r")
    (tmp_path / "r" / "samples").mkdir(exist_ok=True)
    for place in ("", "checkpoints/", "samples/"):
        (tmp_path / "r" / f"{place}.x.abc.unfinished").write_text("half")
    with RunFolder.create(tmp_path / "r", resume=True, overwrite=False):
        assert list((tmp_path / "r").rglob("*.unfinished")) == []


def test_a_folder_that_a_kill_left_blank_counts_as_unused(tmp_path):
    (tmp_path / "r" / "checkpoints").mkdir(parents=True)
    (tmp_path / "r" / ".lock").touch()
    with RunFolder.create(tmp_path / "r", resume=False, overwrite=False):
        pass


@pytest.mark.parametrize("how", ["vanished", "refuses"])
def test_a_folder_that_can_no_longer_be_written_is_named(tmp_path, how):
    cut = tmp_path / "cut"

    def spoil():
        shutil.rmtree(cut if how == "vanished" else cut / "checkpoints")
        if how == "refuses":  # as a read-only folder does; root may write in those
            (cut / "checkpoints").write_text("")

    with pytest.raises(UserError, match=f"cannot write {cut}"):
        train(cut, display=Saying(0.3, spoil))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write in read-only folders")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot write in"):
        RunFolder.create(tmp_path / "r", resume=False, overwrite=False)


@pytest.mark.skipif(sys.platform != "linux", reason="limits file sizes as Linux does")
def test_a_full_disk_ends_with_a_sentence_and_the_last_checkpoint_whole(tmp_path):
    # The best weights, from the first validation on, make checkpoints outgrow the limit.
    more = ["--set", "training.checkpoint_every=5 steps", "--set", "training.validate_every=18 steps",
            "--steps", "60", "--out", str(tmp_path / "r")]  # fmt: skip
    learnt = sum(w.numel() for w in weights_of_cli().values())

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(3.6 * 4 * learnt),) * 2)
        return main([*COMMAND, *more])

    code = ended(begun(limited, tmp_path / "said"))
    said = (tmp_path / "said").read_text()
    assert code == 2, said
    assert "headstart: cannot write" in said
    assert "Traceback" not in said
    tree = checkpoints.newest(RunFolder(tmp_path / "r"))
    assert tree["progress"]["step"] == 15


def weights_of_cli():
    from headstart import backbones, objectives
    from headstart.types import Spec

    spec = Spec("continuous", (1, 8, 8), low=0.0, high=1.0)
    network = backbones.table.load("mlp")
    objective = objectives.table.load("autoencoder")
    encoder = network(network.Config(widths=(32, 8)), spec)
    return objective(objective.Config(), encoder, spec).state_dict()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_the_command_can_be_resumed(tmp_path, number, code):
    out = tmp_path / "r"
    command = [*COMMAND, "--steps", "100000", "--out", str(out)]
    pid = begun(lambda: main(command), tmp_path / "said")
    while not (out / "progress.jsonl").exists() and not is_over(pid):
        time.sleep(0.02)
    os.kill(pid, number)
    found = ended(pid)
    said = (tmp_path / "said").read_text()
    assert found == code, said
    assert "everything is saved" in said
    assert "--resume" in said
    step = checkpoints.newest(RunFolder(out))["progress"]["step"]
    assert 0 < step < 100_000
    assert lines(out)[-1]["step"] <= step


def test_a_signal_outside_training_leaves_at_once_with_its_code():
    done = subprocess.run(
        [sys.executable, "-c",
         "import os, signal, sys\nfrom headstart import cli\nfrom headstart.cli import parser\n"
         "parser.build_parser = lambda: os.kill(os.getpid(), signal.SIGTERM)\n"
         "sys.exit(cli.main([]))"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 143
    assert done.stderr == "headstart: terminated\n"
