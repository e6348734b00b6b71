"""The light networks of a game: codes to samples, samples to features, pairs to scores.

For pictures they are DCGAN's (Radford et al., 2016, arXiv:1511.06434): strided convolutions that
go straight between full and smallest resolution, several times cheaper than full-size layers.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import initialise
from headstart.parts.decoders import Bound
from headstart.types import Spec

SLOPE = 0.2
HIDDEN = 256
SMALLEST = 8  # pixels a side below which pictures are reduced no further


class Generator(nn.Module):
    """Codes `[B, K]` → samples `[B, *shape]` within the spec's bounds."""

    def __init__(self, code: int, spec: Spec, width: int) -> None:
        super().__init__()
        self.shape = spec.shape
        self.bound = Bound(spec, "auto")
        layers: list[nn.Module] = [nn.Linear(code, HIDDEN, bias=False), *_after(HIDDEN, flat=True)]
        last: nn.Module
        if spec.is_image:
            *widths, deepest = _widths(spec, width)  # channels from the picture down
            grid = _grid(spec)
            cells = deepest * grid[0] * grid[1]
            layers += [nn.Linear(HIDDEN, cells, bias=False), *_after(cells, flat=True)]
            layers.append(nn.Unflatten(1, (deepest, *grid)))
            for wide, thin in pairwise([deepest, *reversed(widths[1:])]):
                layers += [_double(wide, thin, bias=False), *_after(thin)]
            last = _double((widths[1:] or [deepest])[0], spec.shape[0], bias=True)
        else:
            layers += [nn.Linear(HIDDEN, HIDDEN, bias=False), *_after(HIDDEN, flat=True)]
            last = nn.Linear(HIDDEN, spec.size)
        self.stack = nn.Sequential(*layers, last)
        initialise(self, "relu")
        nn.init.normal_(last.weight, std=0.02)  # no bound is met at first

    def forward(self, code: Tensor) -> Tensor:
        """`[B, K]` → `[B, *shape]`."""
        h = self.stack(code)
        if h.ndim == 4:
            h = h[:, :, : self.shape[1], : self.shape[2]]
        return self.bound(h.reshape(-1, *self.shape))  # type: ignore[no-any-return]


class Trunk(nn.Module):
    """Samples `[B, *shape]` → features `[B, dim]`, without normalisation: scores stay smooth."""

    dim = HIDDEN

    def __init__(self, spec: Spec, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        size = spec.size
        if spec.is_image:
            widths, grid = _widths(spec, width), _grid(spec)
            for thin, wide in pairwise(widths):
                layers += [nn.Conv2d(thin, wide, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
            size = widths[-1] * grid[0] * grid[1]
        else:
            layers += [nn.Flatten(), nn.Linear(size, HIDDEN), nn.LeakyReLU(SLOPE)]
            size = HIDDEN
        self.stack = nn.Sequential(*layers, nn.Flatten(), nn.Linear(size, HIDDEN))
        self.spec = spec
        self.times = len(_widths(spec, width)) - 1 if spec.is_image else 0
        initialise(self, "leaky_relu")

    def forward(self, x: Tensor) -> Tensor:
        """`[B, *shape]` → `[B, dim]`."""
        if self.times:
            whole = 2**self.times
            x = F.pad(x, (0, -x.shape[3] % whole, 0, -x.shape[2] % whole))
        return self.stack(x)  # type: ignore[no-any-return]


class Critic(nn.Module):
    """Features of a sample and a code → how real each is, and how well they go together."""

    def __init__(self, features: int, code: int) -> None:
        super().__init__()
        self.sample = nn.Sequential(nn.Linear(features, HIDDEN), nn.LeakyReLU(SLOPE))
        self.code = nn.Sequential(
            nn.Linear(code, HIDDEN), nn.LeakyReLU(SLOPE),
            nn.Linear(HIDDEN, HIDDEN), nn.LeakyReLU(SLOPE),
        )  # fmt: skip
        self.both = nn.Sequential(nn.Linear(2 * HIDDEN, HIDDEN), nn.LeakyReLU(SLOPE))
        self.scores = nn.ModuleList(nn.Linear(HIDDEN, 1) for _ in range(3))
        initialise(self, "leaky_relu")

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        """`[B, F]` and `[B, K]` → scores `[B, 3]` of the sample, of the code, and of the pair."""
        x = self.sample(F.leaky_relu(features, SLOPE))  # [B, H]
        z = self.code(code)  # [B, H]
        parts = (x, z, self.both(torch.cat([x, z], dim=1)))
        return torch.cat([score(h) for score, h in zip(self.scores, parts, strict=True)], dim=1)


def _double(wide: int, thin: int, *, bias: bool) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(wide, thin, 4, stride=2, padding=1, bias=bias)


def _after(width: int, *, flat: bool = False) -> list[nn.Module]:
    return [nn.BatchNorm1d(width) if flat else nn.BatchNorm2d(width), nn.ReLU()]


def _widths(spec: Spec, width: int) -> list[int]:
    """Channels at each halving of the side: the picture's own, then doubling from `width`."""
    side, widths = max(spec.shape[1:]), [spec.shape[0]]
    while side > SMALLEST or len(widths) == 1:
        side = -(-side // 2)
        widths.append(min(width * 2 ** (len(widths) - 1), 4 * width))
    return widths


def _grid(spec: Spec) -> tuple[int, int]:
    """Side of the smallest resolution."""
    whole = 2 ** (len(_widths(spec, 1)) - 1)
    return -(-spec.shape[1] // whole), -(-spec.shape[2] // whole)
