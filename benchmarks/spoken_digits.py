"""Spoken digits: the official split, ten labels a class, and speakers never heard.

    python benchmarks/spoken_digits.py DIGITS --out DIR [--protocols official few unheard]
        [--ways scratch ...] [--speakers theo ...] [--draws 5] [--pretrain-steps N] [--steps N]
        [--tta 8] [--quick]

DIGITS holds `{digit}_{speaker}_{index}.wav` (Free Spoken Digit Dataset). official: train is index 5
and up, test 0 to 4, all labels. few: the same, of which ten labels a class are known, the rest
being pre-trained on without. unheard: all recordings of one speaker are the test, those of all
others train, one speaker after another; the encoder never heard that speaker either.

Each protocol reports fine-tuning from a pre-trained encoder, the same network from scratch for as
many steps, a linear probe, and cepstral coefficients with a support vector machine; with few labels
also self-training from that encoder; with --tta, each network's answers averaged over so many
augmented copies as well. The settings below are the same for all speakers; how they were chosen
stands in RESULTS.md. Finished runs are read, not repeated.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import headstart as hs
from common import QUIET, finished, written
from headstart.baselines.base import fit
from headstart.data.sources import open_dataset
from headstart.modalities.audio import Audio, AudioConfig
from headstart.tasks.classification import Classification, ClassificationConfig

WAYS = ("mfcc", "scratch", "pre-trained", "probe", "self-trained")
OFFICIAL = 5  # recordings of each digit and speaker that are test
TUNING: dict[str, Any] = {"batch_size": 32, "lr": 3e-3}
# Of digits, neighbours in the features are of another class too often for a graph to spread labels.
SELF_TRAINING: dict[str, Any] = {"batch_size": 64, "lr": 3e-3, "self_training": {"graph": False}}
PRETRAINING: dict[str, Any] = {"batch_size": 64}
EMA = 0.99  # of the weights that are kept: the last of some hundred steps, averaged
# Microphones and rooms differ more than voices do, as far as four voices can tell: what they are
# heard through is drawn wide.
CHANNEL = {"gain": 6.0, "noise": 0.1, "equaliser": 10.0}
WIDER = {"widths": [24, 48, 96]}
SETTINGS: dict[str, dict[str, Any]] = {
    "official": {},
    "few": {"modality": {"augment": CHANNEL}, "backbone": WIDER},
    "unheard": {"modality": {"augment": CHANNEL}, "backbone": WIDER},
}


@dataclass(frozen=True)
class Case:
    """One pair of train and test. labels: a class; None for all. seed: of the draw of labels."""

    protocol: str
    name: str
    data: Path
    labels: int | None = None
    seed: int = 0


def recordings(digits: Path) -> list[tuple[Path, str, str, int]]:
    """File, digit, speaker and index of each."""
    found = []
    for file in sorted(digits.glob("*.wav")):
        digit, speaker, index = file.stem.split("_")
        found.append((file.resolve(), digit, speaker, int(index)))
    if not found:
        raise SystemExit(f"{digits} holds no {{digit}}_{{speaker}}_{{index}}.wav")
    return found


def manifest(path: Path, digits: Path, held: str | None) -> Path:
    """A list of all recordings; test are those of the speaker `held`, or the official ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "digit", "speaker", "split"])
        for name, digit, speaker, index in recordings(digits):
            test = index < OFFICIAL if held is None else speaker == held
            rows.writerow([name, digit, speaker, "test" if test else "train"])
    return path


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """What is asked for, the quickest first."""
    out: Path = options.out
    whole = manifest(out / "official.csv", options.digits, None)
    speakers = options.speakers or sorted({row[2] for row in recordings(options.digits)})
    if "official" in options.protocols:
        yield Case("official", "all", whole)
    if "few" in options.protocols:
        for seed in range(options.draws):
            yield Case("few", f"draw-{seed}", whole, 10, seed)
    if "unheard" in options.protocols:
        for speaker in speakers:
            data = manifest(out / f"without-{speaker}.csv", options.digits, speaker)
            yield Case("unheard", speaker, data)


def settings(out: Path, protocol: str, *groups: str) -> Path:
    """A file of a protocol's settings, of those groups."""
    known = {name: SETTINGS[protocol][name] for name in groups if name in SETTINGS[protocol]}
    known["training"] = {"ema": EMA}
    return written(out / f"{'-'.join((protocol, *groups))}.yaml", known)


def encoder(case: Case, options: argparse.Namespace) -> hs.Run:
    """Pre-trained on a case's train, without labels; shared by draws."""
    name = case.protocol if case.protocol != "unheard" else f"without-{case.name}"
    out = options.out / "encoders" / name
    return finished(out) or hs.pretrain(
        str(case.data), target="digit", objective=options.objective, out=out,
        overwrite=True, **QUIET,
        config=settings(options.out, case.protocol, "modality", "backbone"),
        **PRETRAINING, **options.pretraining,
    )  # fmt: skip


def measured(case: Case, options: argparse.Namespace) -> dict[str, float]:
    """Accuracy on test of each way that is asked for."""
    own = settings(options.out, case.protocol, "modality", "backbone")
    of_encoder = settings(options.out, case.protocol)
    ways: dict[str, dict[str, Any]] = {
        "scratch": {"config": own, **TUNING},
        "pre-trained": {"config": of_encoder, **TUNING},
        "probe": {"config": of_encoder, "mode": "frozen", **TUNING},
        "self-trained": {"config": of_encoder, "unlabelled": "self-train", **SELF_TRAINING},
    }
    found: dict[str, float] = {}

    def tell(way: str, accuracy: float) -> None:
        found[way] = accuracy
        print(f"{case.protocol} {case.name} {way}: {accuracy:.2%}", flush=True)

    for way in options.ways:
        if way == "mfcc":
            tell(way, classical(case))
        elif way != "self-trained" or case.labels is not None:
            out = options.out / case.protocol / case.name / way
            run = finished(out) or hs.finetune(
                str(case.data), target="digit", labels_per_class=case.labels, seed=case.seed,
                start=None if way == "scratch" else encoder(case, options),
                validation_share=0.0, out=out, **ways[way], **options.tuning,
                overwrite=True, **QUIET,
            )  # fmt: skip
            tell(way, run.result["test"]["accuracy"])
            if options.tta:
                figures = run.evaluate(split="test", tta=options.tta)
                tell(f"{way}, views averaged", figures["accuracy"])
    return found


def classical(case: Case) -> float:
    """Cepstral coefficients and a support vector machine on the same labels."""
    from headstart.data.budget import choose

    dataset = open_dataset(str(case.data), target="digit")
    drawn = choose(
        dataset.train, classes=True, labels=None, per_class=case.labels, seed=case.seed, share=0.0
    )
    train, test = dataset.train.take(drawn.train), dataset.splits["test"]
    modality = Audio.fit(dataset.train, AudioConfig())
    state = Classification.fit(ClassificationConfig(), train.targets)
    task = Classification(ClassificationConfig(), 1, state)
    outputs = fit("mfcc", train, modality, task, seed=case.seed).outputs(test)
    return float(task.figures(outputs, task.encode(test.targets, "test"))["accuracy"])


def main() -> None:
    """Run what is asked for, print and keep the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("digits", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--protocols", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--speakers", nargs="+")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--objective", default="simclr")
    parser.add_argument("--pretrain-steps", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=1_500)
    parser.add_argument("--tta", type=int, default=0, help="copies that answers are averaged over")
    parser.add_argument("--quick", action="store_true", help="a few steps: does it run?")
    options = parser.parse_args()
    options.pretraining = {"steps": 3 if options.quick else options.pretrain_steps}
    options.tuning = {"steps": 3 if options.quick else options.steps}
    options.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for case in cases(options):
        found.setdefault(case.protocol, {})[case.name] = measured(case, options)
        (options.out / "figures.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    for protocol, each in found.items():
        for way in next(iter(each.values())):
            values = [one[way] for one in each.values()]
            print(
                f"{protocol} {way}: mean {mean(values):.2%}, worst {min(values):.2%},"
                f" best {max(values):.2%} of {len(values)}"
            )


if __name__ == "__main__":
    main()
