"""Pictures without a network: their pixels, or their strokes and edges."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.baselines.models import Estimator, Problem, linear
from headstart.data.dataset import Samples
from headstart.modalities.base import Modality

CHUNK = 1_000  # pictures that are described at once


class Pixels:
    """The pixels themselves. See `base.Baseline`."""

    kinds: ClassVar[frozenset[str]] = frozenset({"image"})

    def features(self, samples: Samples, modality: Modality) -> NDArray[np.float32]:
        """`[N, C·H·W]` in 0..1."""
        x, _ = modality.tensor(samples, on_bad="skip")
        pixels: NDArray[np.float32] = x.flatten(1).numpy().astype(np.float32) / np.float32(255)
        return pixels

    def estimator(self, problem: Problem) -> Estimator:
        """Regression; how strongly it is held back is chosen within the labels."""
        made: Estimator = linear(problem)
        return made


class Gradients:
    """Histograms of oriented gradients (Dalal and Triggs, 2005). See `base.Baseline`."""

    kinds: ClassVar[frozenset[str]] = frozenset({"image"})

    def features(self, samples: Samples, modality: Modality) -> NDArray[np.float32]:
        """Unit vectors, `[N, 648]`."""
        x, _ = modality.tensor(samples, on_bad="skip")
        parts = [modality.describe(part) for part in torch.split(x, CHUNK)]
        found: NDArray[np.float32] = torch.cat([p for p in parts if p is not None]).numpy()
        return found

    def estimator(self, problem: Problem) -> Any:
        """Regression on standardised bins."""
        from sklearn.preprocessing import StandardScaler

        return linear(problem, StandardScaler())
