"""A run's encoder as a plain PyTorch module: for loops of one's own, Lightning, other libraries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.backbones.base import Backbone
from headstart.data.inputs import open_inputs
from headstart.errors import UserError
from headstart.modalities.base import Modality
from headstart.types import Batch
from headstart.workflows.loaded import LoadedRun


class Encoder(nn.Module):
    """Samples in, features out; normalising is within, so that any loader will do.

        encoder = hs.load("runs/encoder").encoder
        x = encoder.tensor(["one.jpg", "other.jpg"])     # compact: uint8, token numbers, ...
        head = nn.Linear(encoder.dim, 10)
        loss = F.cross_entropy(head(encoder(x)), y)

    dim: D of the features.
    """

    def __init__(self, backbone: Backbone, modality: Modality) -> None:
        super().__init__()
        self.backbone = backbone
        self.modality = modality
        self.dim = backbone.dim

    def tensor(self, inputs: str | Path | Sequence[str | Path] | NDArray[Any]) -> Tensor:
        """Samples as `Run.embed` takes them → one compact tensor `[N, ...]`, on the CPU.

        Raises:
            UserError: the inputs cannot be read, or are of another kind.
        """
        own = self.modality.state()["modality"]
        samples, kind = open_inputs(inputs, None, own)
        if kind != own:
            raise UserError(f"these inputs are of kind '{kind}'; the encoder reads '{own}'.")
        return self.modality.tensor(samples)[0]

    def forward(self, x: Tensor) -> Tensor:
        """Compact samples `[B, ...]` → features `[B, D]`; gradients reach every weight."""
        pooled: Tensor = self.backbone(Batch(self.modality.prepare(x))).pooled
        return pooled

    def tokens(self, x: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Compact samples `[B, ...]` → features of their parts `[B, T, D]`, and which are there.

        None where the backbone has none; a mask of None means all.
        """
        found = self.backbone(Batch(self.modality.prepare(x)))
        return found.tokens, found.mask


def encoder_of(run: LoadedRun) -> Encoder:
    """The encoder of a finished run, ready to be trained: in evaluation mode, with gradients."""
    backbone = run.learner.encoder
    for parameter in backbone.parameters():
        parameter.requires_grad = True
    return Encoder(backbone, run.modality)
