"""Rows of numbers: standardised columns, one float tensor `[N, F]`."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from headstart.data.dataset import Samples
from headstart.errors import UserError
from headstart.modalities.augment.swap import swapped
from headstart.modalities.base import Strength
from headstart.settings import Settings, setting
from headstart.types import Spec


class NumericConfig(Settings):
    """How rows become tensors."""

    swap: float = setting(
        0.0, "share of values that augmentation replaces by another row's", least=0, most=1
    )
    strong_swap: float = setting(
        0.6, "the same for strong augmentation; 0.6 is SCARF's", flag="", least=0, most=1
    )


class Numeric:
    """See `base.Modality`."""

    default_backbone: ClassVar[str] = "mlp"
    default_objective: ClassVar[str] = "autoencoder"
    notes: ClassVar[tuple[str, ...]] = ()
    Config: ClassVar[type[Settings]] = NumericConfig

    def __init__(self, mean: list[float], std: list[float], swap: dict[Strength, float]) -> None:
        self.mean, self.std, self.swap = mean, std, swap

    @classmethod
    def fit(cls, train: Samples, config: NumericConfig) -> Numeric:
        """Learn each column's mean and deviation from train."""
        array = np.asarray(train.inputs, dtype=np.float64)
        std = array.std(axis=0)
        std[std < 1e-12] = 1.0  # a constant column carries nothing; leave it at zero
        swap: dict[Strength, float] = {"weak": config.swap, "strong": config.strong_swap}
        return cls(array.mean(axis=0).tolist(), std.tolist(), swap)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Numeric:
        """What `state()` described."""
        return cls(state["mean"], state["std"], state["swap"])

    def state(self) -> dict[str, Any]:
        """Everything fitted, as JSON can hold it."""
        return {"modality": "table", "mean": self.mean, "std": self.std, "swap": self.swap}

    @property
    def spec(self) -> Spec:
        """`(F,)`, unbounded."""
        return Spec("continuous", (len(self.mean),))

    def tensor(self, samples: Samples, *, on_bad: str = "fail") -> tuple[Tensor, list[int]]:  # noqa: ARG002 - arrays have no unreadable rows
        """`float32 [N, F]`, standardised already.

        Raises:
            UserError: the number of columns differs from train's.
        """
        array = np.asarray(samples.inputs, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != len(self.mean):
            raise UserError(
                f"rows of {len(self.mean)} numbers were expected; these have shape"
                f" {list(array.shape[1:])}."
            )
        standard = (array - np.array(self.mean)) / np.array(self.std)
        return torch.from_numpy(standard.astype(np.float32)), []

    @property
    def decoding(self) -> None:
        """Rows of numbers come decoded."""
        return None

    def prepare(self, x: Tensor) -> Tensor:
        """Nothing is left to do."""
        return x

    def augment(self, x: Tensor, strength: Strength = "weak") -> Tensor:
        """Replace a share of the values by those of other rows (SCARF, arXiv:2106.15147)."""
        share = self.swap[strength]
        return swapped(x, share)[0] if share else x

    def describe(self, x: Tensor) -> None:  # noqa: ARG002 - any numbers
        """Nothing is known of columns of numbers in general."""
        return
