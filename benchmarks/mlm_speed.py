"""Masked language modelling's speed: tokens a second of headstart's step, against transformers'.

    python benchmarks/mlm_speed.py TEXTS [--rival-python PATH] [--network modernbert|bert]
        [--rounds 5] [--steps 8] [--batch-size 64] [--threads 2] [--quick]

TEXTS: a text a line. A 4-layer encoder of width 256, the same tokenizer, batch size, share of
masked tokens and optimiser on both sides. headstart's side is the engine itself: batches of similar
length, forward, logits where something is hidden, backward, fused AdamW. The rival's is
transformers' Trainer with its collator, on ModernBERT (the same layer as headstart's) or BERT, run
by a Python that has it. It is never a dependency of the project:

    python3 -m venv /tmp/rival && /tmp/rival/bin/pip install torch transformers accelerate

Tokens are those of texts, padding not counted. Both take turns in short rounds, so that whatever
else the machine does hits both; medians over rounds, by the clock and by processor time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from headstart import backbones, objectives
from headstart.data.bucketed import Bucketed
from headstart.data.sources import open_dataset
from headstart.modalities.text import Text
from headstart.settings import Duration, Faults, resolve
from headstart.training.config import TrainingConfig
from headstart.training.engine import Engine, place

SIZE = {"width": 256, "depth": 4, "heads": 4, "hidden": 680}
RATIO = 0.15


class Round(NamedTuple):
    """Tokens learned from; seconds by the clock, and of processors."""

    tokens: int
    clock: float
    processor: float


class Counting:
    """A modality's preparation, which counts the tokens it hands out."""

    def __init__(self, text: Text) -> None:
        self.text, self.tokens = text, 0

    def prepare(self, x: Tensor) -> Tensor:
        made = self.text.prepare(x)
        self.tokens += int((made != self.text.vocabulary.pad).sum())
        return made

    def augment(self, x: Tensor, strength: Literal["weak", "strong"] = "weak") -> Tensor:
        return self.text.augment(x, strength)


def learner_of(text: Text) -> torch.nn.Module:
    """The network of `SIZE`, masked token by token as the rival's collator does."""
    faults = Faults()
    base, cls = backbones.table.load("transformer"), objectives.table.load("mlm")
    sizes = {name: SIZE[name] for name in ("width", "depth", "heads")}
    torch.manual_seed(0)
    encoder = base(resolve(base.Config, {**sizes, "dropout": 0.0}, faults), text.spec)
    config = resolve(cls.Config, {"ratio": RATIO, "unit": "token"}, faults)
    faults.raise_if_any()
    return cls(config, encoder, text.spec)


def rival_of(
    options: argparse.Namespace, text: Text, x: Tensor, folder: Path
) -> subprocess.Popen[str]:
    """transformers_mlm.py on the same rows, waiting for its first turn."""
    rows, tokenizer = folder / "rows.json", folder / "tokenizer.json"
    rows.write_text(json.dumps([row[row != text.vocabulary.pad].tolist() for row in x]))
    text.tokenizer.save(str(tokenizer))
    command = [
        options.rival_python, Path(__file__).with_name("transformers_mlm.py"), rows, tokenizer,
        json.dumps(SIZE), "--network", options.network, "--steps", str(options.steps),
        "--batch-size", str(options.batch_size), "--threads", str(options.threads),
        "--window", str(text.length), "--ratio", str(RATIO),
    ]  # fmt: skip
    rival = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert rival.stdout is not None
    print(f"{options.network}: {int(rival.stdout.readline()):,} weights", flush=True)
    return rival


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("texts")
    parser.add_argument("--rival-python")
    parser.add_argument("--network", choices=("modernbert", "bert"), default="modernbert")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="of a round")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.steps, options.batch_size = 2, 2, 16
    samples = open_dataset(options.texts).train
    text = Text.fit(samples, resolve(Text.Config, {}, Faults()))
    x, _ = text.tensor(samples)
    pad = text.vocabulary.pad
    learner, counting = learner_of(text), Counting(text)
    training = TrainingConfig(threads=options.threads, schedule="constant", warmup=0.0, lr=1e-3)
    place(learner, training)
    engine = Engine(
        learner, training, Bucketed(x, (x != pad).sum(dim=1)), counting,
        duration=Duration(10**6, "steps"), batch_size=options.batch_size, seed=0,
    )  # fmt: skip
    learner.train()
    print(f"{text.notes[0]}; {sum(p.numel() for p in learner.parameters()):,} weights", flush=True)

    def own() -> Round:
        counting.tokens, clock, processor = 0, time.perf_counter(), time.process_time()
        for _ in range(options.steps):
            engine.step()
        return Round(counting.tokens, time.perf_counter() - clock, time.process_time() - processor)

    with tempfile.TemporaryDirectory() as folder:
        rival = rival_of(options, text, x, Path(folder)) if options.rival_python else None

        def theirs() -> Round:
            assert rival is not None
            assert rival.stdin is not None
            assert rival.stdout is not None
            rival.stdin.write("go\n")
            rival.stdin.flush()
            return Round(*json.loads(rival.stdout.readline()))

        sides = {"headstart": own, **({"transformers": theirs} if rival else {})}
        found: dict[str, list[Round]] = {name: [] for name in sides}
        for i in range(options.rounds + 1):
            for name, turn in sides.items():
                one = turn()
                if i:  # the first round warms up
                    found[name].append(one)
        if rival is not None:
            rival.kill()
            rival.wait()
    speed: dict[str, tuple[float, float]] = {}
    for name, rounds in found.items():
        clock = statistics.median(r.tokens / r.clock for r in rounds)
        processor = statistics.median(r.tokens / r.processor for r in rounds)
        speed[name] = clock, processor
        print(f"{name:14} {clock:10,.0f} tokens/s   {processor:10,.0f} a second of processor")
    if rival is not None:
        ratios = [a / b for a, b in zip(speed["headstart"], speed["transformers"], strict=True)]
        print(f"ratio          {ratios[0]:10.2f}            {ratios[1]:10.2f}")


if __name__ == "__main__":
    main()
