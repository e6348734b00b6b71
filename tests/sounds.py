"""Recordings made up for tests: tones whose pitch is their class."""

from pathlib import Path

import numpy as np
import soundfile

PITCHES = {"low": 300.0, "high": 1_500.0}


def tone(pitch, seconds=0.5, rate=8_000, seed=0, loud=0.3):
    """A tone with a little noise, `[n]`."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    wave = loud * np.sin(2 * np.pi * pitch * time + generator.uniform(0, 6))
    return (wave + 0.003 * generator.standard_normal(len(time))).astype(np.float32)


def tones(folder: Path, count=12, **options) -> Path:
    """A folder with a class a pitch, `count` recordings each."""
    for name, pitch in PITCHES.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            seconds = 0.3 + 0.02 * i
            wave = tone(pitch * (1 + 0.01 * (i % 5)), seconds, seed=i, **options)
            soundfile.write(folder / name / f"{i}.wav", wave, 8_000)
    return folder


def strings(folder: Path, count=60) -> Path:
    """Two or three tones after one another, and which they were: a list, of five speakers."""
    generator = np.random.default_rng(0)
    rows = ["file,said,speaker"]
    for i in range(count):
        names = generator.choice(["low", "high"], size=int(generator.integers(2, 4)))
        parts = [np.zeros(800, np.float32)]
        for name in names:
            wave = tone(PITCHES[name], 0.2, seed=i)
            parts += [wave, np.zeros(int(generator.integers(400, 1_600)), np.float32)]
        soundfile.write(folder / f"{i}.wav", np.concatenate(parts), 8_000)
        rows.append(f"{i}.wav,{' '.join(names)},s{i % 5}")
    (folder / "said.csv").write_text("\n".join(rows) + "\n")
    return folder / "said.csv"
