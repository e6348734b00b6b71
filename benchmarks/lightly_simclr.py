"""The rival of simclr_speed.py, run by a Python that has lightly: its transform, loader and loss.

Reads numbers of steps from standard input, one a line, and answers each with the seconds it
took, by the clock and of processors (workers' not counted).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

import numpy as np
import torch
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms import SimCLRTransform
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Sampler

from five_conv import PROJECTOR, SIDE, FiveConv


class Pictures(Dataset):
    def __init__(self, array: np.ndarray, transform: SimCLRTransform) -> None:
        self.array, self.transform = array, transform

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, i: int) -> list[torch.Tensor]:
        return self.transform(Image.fromarray(self.array[i]))


class Rounds(Sampler):
    """Exactly the samples of one round: no worker prepares batches while the other side runs."""

    def __init__(self, available: int) -> None:
        self.available, self.wanted = available, 0

    def __len__(self) -> int:
        return self.wanted

    def __iter__(self) -> Iterator[int]:
        return iter(torch.randint(self.available, (self.wanted,)).tolist())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    # lightly's own set for pictures of 32 pixels: half the colour strength, no blur.
    transform = SimCLRTransform(input_size=SIDE, cj_strength=0.5, min_scale=0.2, gaussian_blur=0.0)
    data = Pictures(np.load(options.pictures), transform)
    rounds = Rounds(len(data))
    loader = DataLoader(
        data,
        options.batch_size,
        sampler=rounds,
        num_workers=options.workers,
        persistent_workers=options.workers > 0,
    )
    encoder, head = FiveConv(), SimCLRProjectionHead(*PROJECTOR)
    criterion = NTXentLoss(temperature=0.2)
    optimiser = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=1e-3)
    for line in sys.stdin:
        rounds.wanted = int(line) * options.batch_size
        started, spent = time.perf_counter(), time.process_time()
        for one, two in loader:
            loss = criterion(head(encoder(one)), head(encoder(two)))
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        print(time.perf_counter() - started, time.process_time() - spent, flush=True)


if __name__ == "__main__":
    main()
