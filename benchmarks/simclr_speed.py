"""SimCLR's speed: images a second of headstart's step, against lightly's, side by side.

    python benchmarks/simclr_speed.py [--rival-python PATH] [--rounds 7] [--steps 4] [--quick]

A net of five convolutions, 32×32 colour pictures, batches of 256, the same network, projector and
optimiser on both sides. headstart's side is the engine itself: a batch out of one uint8 tensor,
augmented as a whole, forward, NT-Xent, backward, fused AdamW. The rival's is lightly's SimCLR
transform, PyTorch's DataLoader and lightly's loss, run by a Python that has lightly. It is never a
dependency of the project:

    python3 -m venv /tmp/rival && /tmp/rival/bin/pip install torch torchvision lightly

Both take turns in short rounds, so that whatever else the machine does hits both; medians over
rounds. Each round also times matrix products of several sizes, with the fastest of which the
arithmetic of the step is compared; what falls on the border of zeros around a picture is no
arithmetic, as oneDNN's direct convolution skips it. On a machine that others use, processor time is
the steadier measure: it is given beside the clock.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor

from five_conv import PROJECTOR, SIDE, WIDTHS, FiveConv, flops_of_a_step
from headstart import objectives
from headstart.backbones.base import Backbone
from headstart.data.dataset import Samples
from headstart.data.loader import Resident
from headstart.modalities.augment.settings import AugmentConfig, Strengths
from headstart.modalities.image import Image, ImageConfig
from headstart.settings import Duration
from headstart.training.config import TrainingConfig
from headstart.training.engine import Engine, place
from headstart.types import Batch, Features

SIZES = (256, 512, 1024, 1536)  # of the matrix products, of which the fastest is the yardstick
PRODUCT = 2 * 1536**3  # operations of each


class Spent(NamedTuple):
    """Seconds by the clock, and of processors."""

    clock: float
    processor: float

    def __sub__(self, earlier: Spent) -> Spent:
        return Spent(self.clock - earlier.clock, self.processor - earlier.processor)


def now() -> Spent:
    return Spent(time.perf_counter(), time.process_time())


class Encoder(Backbone):
    """The shared network behind headstart's face."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.net, self.dim = FiveConv(), WIDTHS[-1]

    def forward(self, batch: Batch) -> Features:
        return Features(self.net(batch.x.contiguous(memory_format=torch.channels_last)))

    def layers(self) -> list[torch.nn.Module]:
        return [self.net]


class Timed:
    """Pictures' preparation, which adds up the processor time of augmentation."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.augmenting = 0.0

    def prepare(self, x: Tensor) -> Tensor:
        return self.image.prepare(x)

    def augment(self, x: Tensor, strength: Literal["weak", "strong"] = "weak") -> Tensor:
        begun = now()
        made = self.image.augment(x, strength)
        self.augmenting += (now() - begun).processor
        return made


class InTurns(Engine):
    """The engine, which lets the others have their turn every few steps.

    One training runs through all rounds, as a user's does.
    """

    def take_turns(self, steps: int, interlude: Callable[[], None]) -> None:
        self.steps, self.interlude = steps, interlude
        self.spent: list[Spent] = []

    def step(self) -> None:
        if self.at.step % self.steps == 0:
            if self.at.step:
                self.spent.append(now() - self.since)
                self.interlude()
            self.since = now()
        super().step()


def train(
    array: np.ndarray, options: argparse.Namespace, interlude: Callable[[], None]
) -> tuple[list[Spent], float]:
    """headstart's side: what each round spent, and processor time of a step's augmentation."""
    # SimCLR's set for small pictures has no blur, on either side.
    augment = AugmentConfig(kind="photos", strong=Strengths(blur=0.0))
    image = Image.fit(Samples(array), ImageConfig(augment=augment))
    timed = Timed(image)
    torch.manual_seed(0)
    cls = objectives.table.load("simclr")
    config = cls.Config(temperature=0.2, projector=PROJECTOR[1:])
    learner = cls(config, Encoder().to(memory_format=torch.channels_last), image.spec)
    training = TrainingConfig(threads=options.threads, schedule="constant", warmup=0.0, clip=None)
    place(learner, training)
    steps = options.steps * (options.rounds + 1) + 1
    engine = InTurns(
        learner, training, Resident(image.tensor(Samples(array))[0]), timed,
        duration=Duration(steps, "steps"), batch_size=options.batch_size, seed=0,
    )  # fmt: skip
    engine.take_turns(options.steps, interlude)
    engine.fit()
    assert len(engine.spent) == options.rounds + 1
    return engine.spent, timed.augmenting / steps


class Rival:
    """lightly, in a process of its own, a few steps at a time."""

    def __init__(
        self, python: str, pictures: Path, options: argparse.Namespace, workers: int
    ) -> None:
        script = Path(__file__).with_name("lightly_simclr.py")
        command = [
            python, "-W", "ignore", str(script), str(pictures),
            "--batch-size", str(options.batch_size), "--threads", str(options.threads),
            "--workers", str(workers),
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def run(self, steps: int) -> Spent:
        self.process.stdin.write(f"{steps}\n")
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("the rival died; its own message is above.")
        return Spent(*map(float, answer.split()))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def pictures(count: int) -> np.ndarray:
    """Pieces of two real photographs, `uint8 [count, 32, 32, 3]`."""
    photos = load_sample_images().images
    rng = np.random.default_rng(0)
    made = np.empty((count, SIDE, SIDE, 3), np.uint8)
    for i in range(count):
        photo = photos[i % len(photos)]
        top, left = (int(rng.integers(0, size - 2 * SIDE)) for size in photo.shape[:2])
        made[i] = photo[top : top + 2 * SIDE : 2, left : left + 2 * SIDE : 2]
    return made


def matrix_product() -> Spent:
    """What `PRODUCT` operations of `torch.mm` spend at the size that is fastest here, float32."""
    return min((product_of(size) for size in SIZES), key=lambda spent: spent.clock)


def product_of(size: int) -> Spent:
    """What about `PRODUCT` operations spend on products of this size, scaled to just as many."""
    a, b, out = torch.randn(size, size), torch.randn(size, size), torch.empty(size, size)
    torch.mm(a, b, out=out)
    times = -(-PRODUCT // (2 * size**3))
    begun = now()
    for _ in range(times):
        torch.mm(a, b, out=out)
    share = PRODUCT / (times * 2 * size**3)
    return Spent(*(share * seconds for seconds in now() - begun))


def measure(options: argparse.Namespace, folder: Path) -> tuple[dict[str, list[Spent]], float]:
    """What each round of each side spent, and processor time of a step's augmentation."""
    array = pictures(options.pictures)
    np.save(folder / "pictures.npy", array)
    rivals = {}
    if options.rival_python:
        rivals = {
            f"lightly, {workers} workers": Rival(
                options.rival_python, folder / "pictures.npy", options, workers
            )
            for workers in options.workers
        }
    found: dict[str, list[Spent]] = {name: [] for name in ("headstart", *rivals, "product")}

    def interlude() -> None:
        for name, rival in rivals.items():
            found[name].append(rival.run(options.steps))
        found["product"].append(matrix_product())

    found["headstart"], augmenting = train(array, options, interlude)
    for rival in rivals.values():
        rival.close()
    return {name: spent[1:] for name, spent in found.items()}, augmenting  # the first warms up


def report(found: dict[str, list[Spent]], augmenting: float, options: argparse.Namespace) -> None:
    """Medians, ratios of the rounds' own pairs, and the arithmetic achieved."""

    def line(name: str, values: list[float], unit: str) -> None:
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name:36s} {middle:8.3g} {unit:10s} ({low:.3g} to {high:.3g})")

    images = options.steps * options.batch_size
    work = flops_of_a_step(images)
    ours = found["headstart"]
    for name, spent in found.items():
        if name != "product":
            line(name, [images / s.clock for s in spent], "images/s")
    for name, spent in found.items():
        if name.startswith("lightly"):
            pairs = list(zip(spent, ours, strict=True))
            line(f"times as fast as {name}", [s.clock / o.clock for s, o in pairs], "")
            if name == "lightly, 0 workers":
                ratios = [s.processor / o.processor for s, o in pairs]
                line("  in processor time", ratios, "")
    pairs = list(zip(found["product"], ours, strict=True))
    line("matrix product", [PRODUCT / p.clock / 1e9 for p, _ in pairs], "GFLOP/s")
    line("achieved in the step", [work / o.clock / 1e9 for _, o in pairs], "GFLOP/s")
    line("share of the product", [work / o.clock * p.clock / PRODUCT for p, o in pairs], "")
    shares = [work / o.processor * p.processor / PRODUCT for p, o in pairs]
    line("  in processor time", shares, "")
    shares = [augmenting * options.steps / o.processor for o in ours]
    line("augmentation's share of the step", shares, "")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rival-python", help="a Python that has torch, torchvision and lightly")
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 2], help="of its loader")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4, help="a round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--pictures", type=int, default=4096)
    parser.add_argument("--quick", action="store_true", help="one round of one step")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.steps, options.pictures = 1, 1, 1024
    with tempfile.TemporaryDirectory() as folder:
        found, augmenting = measure(options, Path(folder))
    print(f"torch {torch.__version__}, {options.threads} threads, {sys.platform}")
    report(found, augmenting, options)


if __name__ == "__main__":
    main()
