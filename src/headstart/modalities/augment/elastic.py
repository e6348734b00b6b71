"""Elastic deformation: smooth random displacements (Simard et al., 2003, Best practices for CNNs).

Simard smooths a random field over all pixels by a Gaussian. The same law is made here from a few
independent numbers on a coarse lattice, spread over the pixels by the same Gaussian: two small
matrix products a picture, and a deviation that is known exactly.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from headstart.modalities.augment.draws import rand, randn

SMOOTHNESS = 4 / 28  # Simard's deviation of 4 pixels in pictures of 28


def displacements(x: Tensor, strength: float) -> Tensor:
    """A displacement of every pixel, in shares of the side: `[B, H, W, 2]`.

    Each picture draws its own deviation evenly from 0..strength.
    """
    b, _, height, width = x.shape
    down, across = interpolation(height, x.device), interpolation(width, x.device)  # [H, n], [W, n]
    nodes = down.shape[1]
    coarse = randn(b, 2, nodes, nodes, device=x.device)
    coarse = coarse * (strength * rand(b, 1, 1, 1, device=x.device))
    return (down @ coarse @ across.T).permute(0, 2, 3, 1)


def interpolation(length: int, device: torch.device) -> Tensor:
    """How much each of n lattice nodes moves each pixel of a side: `[length, n]`.

    A row's squares sum to 1, so unit noise on the nodes moves each pixel by a deviation of 1.
    """
    reach = 2.5 * SMOOTHNESS  # nodes this far outside still matter
    nodes = math.ceil((1 + 2 * reach) / (SMOOTHNESS / 1.25)) + 1
    places = torch.linspace(-reach, 1 + reach, nodes, device=device)
    pixels = (torch.arange(length, device=device) + 0.5) / length
    weight = torch.exp(-((pixels[:, None] - places) ** 2) / (2 * SMOOTHNESS**2))
    length_one: Tensor = weight / torch.linalg.vector_norm(weight, dim=1, keepdim=True)
    return length_one
