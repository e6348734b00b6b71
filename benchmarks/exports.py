"""Runs of each kind of data in every form that others run, compared with the run itself.

    python benchmarks/exports.py DATA --out DIR [--runs table series recordings texts]

DATA holds `tables/`, `spoken-digits/` and `tweets/`; the series are MNIST-1D. Each run learns for
some steps, is exported by `headstart export` in every format, and ONNX also in eight bits. Then the
exported script answers for real files in a process that can import neither PyTorch nor headstart,
and is compared with what the run predicts. What is there already is read, not repeated.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import headstart as hs
from common import finished
from headstart.cli import main as headstart
from headstart.export import table as formats
from mnist_1d import canonical
from spoken_digits import OFFICIAL, manifest, recordings

HEADS = ("probabilities", "outputs", "features")
FILES = 100  # real samples that the script answers for
ALONE = """
import runpy, sys
for name in ("torch", "headstart", "transformers"):
    sys.modules[name] = None  # importing it fails from here on
sys.path.insert(0, sys.argv[1])
sys.argv = ["predict.py", *sys.argv[2:]]
runpy.run_path(sys.path[0] + "/predict.py", run_name="__main__")
assert sys.modules["torch"] is None and "onnxruntime" in sys.modules
"""

Asked = tuple[list[str], Any]  # files for the script, and the same samples for `Run.predict`


@dataclass(frozen=True)
class Case:
    """A run. learn: arguments of `finetune`; real: folder to write in → samples of test."""

    learn: list[str]
    real: Callable[[Path], Asked]


def cases(data: Path, out: Path) -> dict[str, Case]:
    """By kind of data."""
    tables, emotion, digits = data / "tables", data / "tweets" / "emotion", data / "spoken-digits"

    def rows(folder: Path) -> Asked:
        path = folder / "rows.csv"
        with (tables / "adult-test.csv").open(encoding="utf-8") as file:
            path.write_text("".join(islice(file, 1 + FILES)), encoding="utf-8")
        return [str(path)], str(path)

    def courses(folder: Path) -> Asked:
        with np.load(canonical(out)) as arrays:
            series = arrays["series_test"][:FILES]
        np.save(folder / "series.npy", series)
        return [str(folder / "series.npy")], series[:, None] if series.ndim == 2 else series

    def sounds(folder: Path) -> Asked:  # noqa: ARG001 - they lie in files already
        test = [str(file) for file, _, _, index in recordings(digits) if index < OFFICIAL]
        return test[:: len(test) // FILES], test[:: len(test) // FILES]

    def words(folder: Path) -> Asked:
        lines = (emotion / "test_text.txt").read_text(encoding="utf-8").splitlines()[:FILES]
        (folder / "texts.txt").write_text("".join(f"{one}\n" for one in lines), encoding="utf-8")
        return [str(folder / "texts.txt")], lines

    adult = [str(tables / "adult-train.csv"), "--test", str(tables / "adult-test.csv")]
    spoken = manifest(out / "digits.csv", digits, None)
    return {
        "table": Case([*adult, "--target", "income", "--labels", "400", *steps(60)], rows),
        "series": Case([str(canonical(out)), *steps(100)], courses),
        "recordings": Case(
            [str(spoken), "--target", "digit", "--labels-per-class", "10", *steps(60)], sounds
        ),
        "texts": Case([str(emotion), "--backbone", "ngram", *steps(60)], words),
    }


def steps(count: int) -> list[str]:
    """As a flag."""
    return ["--steps", str(count)]


def said(arguments: list[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a headstart command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = headstart(arguments)
    return code, out.getvalue(), err.getvalue()


def exported(run: Path, form: str, out: Path) -> dict[str, Any]:
    """What `headstart export` says, as JSON, or the sentence with which it refuses."""
    kept = out / f"{form}.json"
    if not kept.exists():
        name = form.removesuffix("-int8")
        place = out / f"{form}{formats.load(name).suffix}"
        if place.is_dir():
            shutil.rmtree(place)
        more = ["--quantize", "int8"] if name != form else []
        code, told, why = said(
            ["export", str(run), "--out", str(place), "--format", name, "--json", "--quiet", *more]
        )
        if code not in (0, 2):
            raise SystemExit(f"{run} --format {form}: exit code {code}\n{why}")
        kept.write_text(told if code == 0 else json.dumps({"refused": why.split("\n")[0]}))
    found: dict[str, Any] = json.loads(kept.read_text())
    return found


def alone(run: hs.Run, case: Case, out: Path) -> dict[str, Any]:
    """How the script's answers differ from the run's, where PyTorch cannot be imported."""
    asked, same = case.real(out)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(out / "script"), *asked],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"the script of {run.path} does not run:\n{done.stderr}")
    answers = list(csv.DictReader(done.stdout.splitlines()))
    wanted = run.predict(same)
    chances = [name for name in wanted if name.startswith("probability_")]
    differ = [
        abs(float(row[name]) - float(wanted[name][i]))
        for i, row in enumerate(answers)
        for name in chances
    ]
    alike = sum(row["label"] == str(wanted["label"][i]) for i, row in enumerate(answers))
    return {
        "samples": len(wanted["label"]), "same label": alike, "probabilities": max(differ),
    }  # fmt: skip


def main() -> None:
    """Train, export, compare; a line a format."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", nargs="+", choices=("table", "series", "recordings", "texts"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print("| run | format | probabilities | outputs | features | |\n| --- " + "| --- " * 5 + "|")
    for name, case in cases(options.data, options.out).items():
        if options.runs and name not in options.runs:
            continue
        path, out = options.out / name, options.out / f"{name}-exports"
        out.mkdir(exist_ok=True)
        quick = ["--quiet", "--no-report", "--no-baselines", "--overwrite"]
        if finished(path) is None:
            code, _, why = said(["finetune", *case.learn, "--out", str(path), *quick])
            if code != 0:
                raise SystemExit(why)
        for form in [*formats, "onnx-int8"]:
            found = exported(path, form, out)
            figures = [found.get("difference", {}).get(n) for n in HEADS]
            cells = ["–" if v is None else f"{v:.1e}" for v in figures]
            more = found.get("refused") or found.get("quantized", "")
            more += "".join(
                f"; {n} {v['before']:.3f} → {v['after']:.3f}"
                for n, v in found.get("figures", {}).items()
            )
            print(f"| {name} | {form} | {' | '.join(cells)} | {more} |", flush=True)
        found = alone(hs.load(path), case, out)
        print(
            f"| {name} | script, without PyTorch | {found['probabilities']:.1e} | – | – |"
            f" {found['same label']} of {found['samples']} labels alike |",
            flush=True,
        )


if __name__ == "__main__":
    main()
