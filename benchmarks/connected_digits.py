"""Strings of spoken digits, written down: speakers heard, and one never heard.

    python benchmarks/connected_digits.py DIGITS --out DIR [--speakers theo ...] [--unheard]
        [--ways scratch ...] [--strings 4000] [--steps N] [--wide-steps N] [--pretrain-steps N]
        [--widths 24 48 96] [--quick]

DIGITS holds `{digit}_{speaker}_{index}.wav` (Free Spoken Digit Dataset). A string is 3 to 7
recordings of one speaker, drawn at random and joined with silences of 0.05 to 0.3 seconds; strings
of train are made of recordings of index 5 and up, strings of test (200 a speaker) of index 0 to 4.
With --unheard, a speaker's strings are the test of a model that never heard that speaker. The seed
is fixed: everybody's strings are the same.

Reports the digit error rate (edits by digits) of CTC over frames, fine-tuned from an encoder that
was pre-trained on the same train strings without labels, and from scratch for as many steps. For
voices never heard a second fine-tuning, from the first one, hears all strings through channels that
are drawn wide. Nothing is chosen on test strings.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import soundfile

import headstart as hs
from common import QUIET, finished, written
from spoken_digits import CHANNEL, OFFICIAL

WAYS = ("scratch", "pre-trained")
TESTS = 200  # strings a speaker
PAUSES = (0.05, 0.3)  # seconds
# Whole strings in one window; neighbours heard over half a second each way.
SETTINGS: dict[str, Any] = {
    "modality": {"window": 7.0, "windows": 1},
    "backbone": {"context": 3, "reach": 9},
}
# For voices never heard, what they are heard through is drawn wide: in pre-training, and in a
# second fine-tuning. In the first it is drawn little: through wide channels CTC stays on its
# plateau.
LITTLE = {"mask_time": 0.05}
WIDE = {**CHANNEL, **LITTLE}
SETTLED = 0.1  # the flat start of a second fine-tuning
TRAINING: dict[str, Any] = {"training": {"ema": 0.99}}


@dataclass(frozen=True)
class Voice:
    """A speaker's recordings by digit: samples."""

    train: dict[str, list[np.ndarray]]
    test: dict[str, list[np.ndarray]]


def voices(digits: Path) -> tuple[dict[str, Voice], int]:
    """All speakers, and their rate."""
    found: dict[str, Voice] = {}
    rate = 0
    for file in sorted(digits.glob("*.wav")):
        digit, speaker, index = file.stem.split("_")
        voice = found.setdefault(speaker, Voice({}, {}))
        wave, rate = soundfile.read(file, dtype="int16")
        part = voice.test if int(index) < OFFICIAL else voice.train
        part.setdefault(digit, []).append(wave)
    if not found:
        raise SystemExit(f"{digits} holds no {{digit}}_{{speaker}}_{{index}}.wav")
    return found, rate


def strings(
    folder: Path, recordings: dict[str, list[np.ndarray]], count: int, rate: int, *, seed: int
) -> list[tuple[Path, str]]:
    """Files of joined recordings, and what each says; files that are there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    made = []
    for i in range(count):
        said = [str(digit) for digit in generator.integers(0, 10, generator.integers(3, 8))]
        parts = []
        for digit in said:
            pause = np.zeros(round(generator.uniform(*PAUSES) * rate), np.int16)
            parts += [recordings[digit][generator.integers(len(recordings[digit]))], pause]
        path = folder / f"{i:05}.wav"
        if not path.exists():
            soundfile.write(path, np.concatenate(parts[:-1]), rate)
        made.append((path.resolve(), " ".join(said)))
    return made


def manifests(options: argparse.Namespace) -> dict[str, Path]:
    """A list of strings for each question: who is in train, who in test."""
    known, rate = voices(options.digits)
    each = options.strings // len(known)
    made = {}
    for n, (speaker, voice) in enumerate(sorted(known.items())):
        place = options.out / "strings" / speaker
        made[speaker] = {
            "train": strings(place / "train", voice.train, each, rate, seed=n),
            "test": strings(place / "test", voice.test, options.tests, rate, seed=1_000 + n),
        }
    asked = options.speakers or sorted(known)
    questions = (
        {f"without-{speaker}": speaker for speaker in asked} if options.unheard else {"all": None}
    )
    lists = {}
    for name, held in questions.items():
        lists[name] = options.out / f"{name}.csv"
        with lists[name].open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["file", "text", "speaker", "split"])
            for speaker, parts in made.items():
                if speaker != held:
                    rows.writerows([path, text, speaker, "train"] for path, text in parts["train"])
                if held in (None, speaker):
                    rows.writerows([path, text, speaker, "test"] for path, text in parts["test"])
    return lists


def measured(name: str, data: Path, options: argparse.Namespace) -> dict[str, float]:
    """Digit error rates on test, from a pre-trained encoder and from scratch."""
    tuning = {**TRAINING, **({"modality": {"augment": LITTLE}} if options.unheard else {})}
    ways: dict[str, dict[str, Any]] = {
        "scratch": {"config": written(options.out / "whole.yaml", whole(LITTLE, options))},
        "pre-trained": {"mode": "full", "config": written(options.out / "tuning.yaml", tuning)},
    }
    found = {}
    for way in options.ways:
        start = encoder(name, data, options) if way == "pre-trained" else None
        run = tuned(data, options.out / name / way, options.steps, start=start, **ways[way])
        if options.unheard:
            wide = {**TRAINING, "modality": {"augment": WIDE}, "task": {"flat_start": SETTLED}}
            config = written(options.out / "wide.yaml", wide)
            out = options.out / name / f"{way}-wide"
            print(f"{name} {way}, not yet wide: {rate_of(run):.2%}", flush=True)
            run = tuned(data, out, options.wide_steps, start=run, mode="full", config=config)
        found[way] = rate_of(run)
        print(f"{name} {way}: digit error rate {found[way]:.2%}", flush=True)
    return found


def tuned(data: Path, out: Path, steps: int, **how: Any) -> hs.Run:
    """Fine-tuned to write strings down; what is finished is kept."""
    return finished(out) or hs.finetune(
        str(data), target="text", task={"name": "transcription", "units": "words"},
        validation_share=0.0, lr=3e-3, batch_size=16, steps=steps, out=out, overwrite=True,
        **QUIET, **how,
    )  # fmt: skip


def rate_of(run: hs.Run) -> float:
    """Edits by digits, on test."""
    return float(run.result["test"]["unit_error_rate"])


def whole(augment: dict[str, float], options: argparse.Namespace) -> dict[str, Any]:
    """All settings of a network that begins from nothing; `augment`: for voices never heard."""
    views = {"augment": augment} if options.unheard else {}
    widths = {"widths": options.widths} if options.widths else {}
    return {
        **TRAINING,
        "modality": {**SETTINGS["modality"], **views},
        "backbone": {**SETTINGS["backbone"], **widths},
    }


def encoder(name: str, data: Path, options: argparse.Namespace) -> hs.Run:
    """Pre-trained on a question's train strings, without their texts."""
    out = options.out / name / "encoder"
    settings = written(options.out / "encoder.yaml", whole(WIDE, options))
    return finished(out) or hs.pretrain(
        str(data), target="text", objective="wav2vec", config=settings, out=out,
        overwrite=True, **QUIET, steps=options.pretrain_steps,
    )  # fmt: skip


def main() -> None:
    """Run what is asked for, print and keep the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("digits", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--speakers", nargs="+", help="held out with --unheard; by default each")
    parser.add_argument("--unheard", action="store_true")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--strings", type=int, default=4_000)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--wide-steps", type=int, default=1_200, help="with --unheard")
    parser.add_argument("--pretrain-steps", type=int, default=500)
    parser.add_argument("--widths", nargs="+", type=int, help="of the network's stages")
    parser.add_argument("--quick", action="store_true", help="a few steps: does it run?")
    options = parser.parse_args()
    options.tests = 2 if options.quick else TESTS
    if options.quick:
        options.steps = options.wide_steps = options.pretrain_steps = 3
    found = {}
    for name, data in manifests(options).items():
        found[name] = measured(name, data, options)
        (options.out / "figures.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    for way in next(iter(found.values())):
        values = [one[way] for one in found.values()]
        print(f"{way}: mean {mean(values):.2%}, worst {max(values):.2%} of {len(values)}")


if __name__ == "__main__":
    main()
