"""One epoch of the article's job, by headstart and by the article's loop, side by side.

The job: an autoencoder 784-128-64-32-16-8-4-2 and back on the 60,000 pictures of MNIST, batch 64,
Adam at 1e-3. The article's loop decodes every sample through PIL into a float tensor, collates
batches in a DataLoader and takes unfused steps; torchvision's `MNIST` with `ToTensor` does just
this, and is not needed to do it. Runs alternate; medians and their ratio are printed.

The second table asks for the same loss in less time: the article's loop takes one epoch of the
mended network (which learns; the article's own collapses to the mean picture whatever the
batch), and headstart trains it with a larger batch until the loss on all pictures is as low.

    python benchmarks/article_epoch.py ../shared/data/mnist [--quick]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PILImage
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from headstart import backbones, objectives
from headstart.data.dataset import Samples
from headstart.data.idx import read_idx
from headstart.data.loader import Resident
from headstart.modalities.image import Image, ImageConfig
from headstart.parts.learner import Learner
from headstart.settings import Duration, Faults, resolve
from headstart.settings.files import read_preset
from headstart.training import devices
from headstart.training.config import TrainingConfig
from headstart.training.engine import Engine
from headstart.workflows import assemble


class Pictures(Dataset[tuple[Tensor, int]]):
    """The steps that torchvision's MNIST and ToTensor take for a sample, one for one."""

    def __init__(self, arrays: np.ndarray) -> None:
        self.data = torch.from_numpy(arrays)
        self.targets = torch.zeros(len(arrays), dtype=torch.long)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        pixels, target = self.data[i], int(self.targets[i])
        picture = PILImage.fromarray(pixels.numpy(), mode="L")
        read = torch.from_numpy(np.array(picture, np.uint8, copy=True))
        read = read.view(picture.size[1], picture.size[0], len(picture.getbands()))
        read = read.permute((2, 0, 1)).contiguous()  # [1, 28, 28]
        if isinstance(read, torch.ByteTensor):
            read = read.to(dtype=torch.get_default_dtype()).div(255)
        return read, target


def network(preset: str) -> tuple[Learner, TrainingConfig, Image]:
    """The learner, engine settings and preprocessing of a preset, weights from seed 0."""
    raw, faults = read_preset(preset), Faults()
    config = resolve(TrainingConfig, raw["training"], faults, "training")
    picture = Image.fit(Samples(np.zeros((2, 28, 28), np.uint8)), ImageConfig(normalise=False))
    parts = [
        assemble.component(table, raw[part], "", part, faults)
        for table, part in ((backbones.table, "backbone"), (objectives.table, "objective"))
    ]
    faults.raise_if_any()
    encoder = assemble.build_backbone(parts[0], picture.spec, 0)
    return parts[1].cls(parts[1].config, encoder, picture.spec), config, picture


def loop_epoch(arrays: np.ndarray, preset: str) -> tuple[float, Learner]:
    """Seconds of the article's loop for one epoch, and what it trained."""
    learner, _, _ = network(preset)
    flat = nn.Sequential(*learner.encoder.stack, *learner.decoder.stack)
    bound = learner.decoder.bound
    optimiser = torch.optim.Adam(learner.parameters(), lr=1e-3)
    criterion = nn.MSELoss()
    begun = time.perf_counter()
    for pictures, _ in DataLoader(Pictures(arrays), batch_size=64, shuffle=True):
        x = pictures.view(len(pictures), -1)
        loss = criterion(bound(flat(x)), x)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()  # the article prints it
    return time.perf_counter() - begun, learner


def engine_run(
    x: Tensor, preset: str, *, batch_size: int, epochs: float, **settings: object
) -> tuple[float, Learner]:
    """Seconds of headstart's engine, everything it does in a run counted but the disk."""
    learner, config, picture = network(preset)
    config = TrainingConfig(**{**vars(config), **settings})
    engine = Engine(
        learner, config, Resident(x), picture,
        duration=Duration(epochs, "epochs"), batch_size=batch_size, seed=0,
    )  # fmt: skip
    begun = time.perf_counter()
    engine.fit()
    return time.perf_counter() - begun, learner


@torch.no_grad()
def loss_on(learner: Learner, x: Tensor) -> float:
    """Mean squared error over all pictures."""
    from headstart.types import Batch

    learner.eval()
    batches = (Batch(part.float() / 255) for part in x.split(5_000))
    return float(torch.stack([learner.score(b)["reconstruction"] for b in batches]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="MNIST's IDX files")
    parser.add_argument("--quick", action="store_true", help="6,000 pictures, one repetition")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    devices.use_threads(None)
    arrays = read_idx(arguments.folder / "train-images-idx3-ubyte.gz")
    repeat = arguments.repeat
    if arguments.quick:
        arrays, repeat = arrays[:6_000], 1
    x = torch.from_numpy(arrays)[:, None]
    engine_run(x[:6_400], "article", batch_size=64, epochs=1)  # warm caches
    pairs = [
        (loop_epoch(arrays, "article")[0], engine_run(x, "article", batch_size=64, epochs=1)[0])
        for _ in range(repeat)
    ]
    theirs, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"one epoch, batch 64, {len(x):,} pictures, {torch.get_num_threads()} threads")
    print(f"  the article's loop  {theirs:6.2f} s")
    print(f"  headstart           {ours:6.2f} s   {theirs / ours:.2f} times as fast")
    pairs = []
    for _ in range(repeat):
        seconds, learner = loop_epoch(arrays, "article-mended")
        goal = loss_on(learner, x)
        ours_seconds, learner = engine_run(
            x, "article-mended", batch_size=LARGE["batch_size"], epochs=LARGE["epochs"],
            lr=LARGE["lr"], schedule=LARGE["schedule"], warmup=LARGE["warmup"],
        )  # fmt: skip
        pairs.append((seconds, ours_seconds, goal, loss_on(learner, x)))
    theirs, ours, goal, reached = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = f"{theirs / ours:.2f} times as fast"
    print(f"the same loss, the mended network, batch {LARGE['batch_size']:,}")
    print(f"  the article's loop  {theirs:6.2f} s   loss {goal:.5f}")
    print(f"  headstart           {ours:6.2f} s   loss {reached:.5f}   {ratio}")


# Chosen for the loss on the training pictures it reaches in the time.
LARGE = {"batch_size": 1024, "epochs": 1.0, "lr": 8e-3, "schedule": "cosine", "warmup": 0.1}

if __name__ == "__main__":
    main()
