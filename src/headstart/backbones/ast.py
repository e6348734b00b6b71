"""The audio spectrogram transformer (Gong et al., 2021, arXiv:2104.01778).

A vision transformer whose picture is a log-mel map: patches look at one another, and what it says
of a moment is the mean over the patches of that moment. It can encode a part of the patches only,
so that masked autoencoders learn from recordings (Huang et al., 2022, arXiv:2207.06405).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor, nn

from headstart.backbones.patched import Patched
from headstart.backbones.vit import ViT, ViTConfig
from headstart.backbones.windows import frames_of, mean_and_max, windows
from headstart.errors import UserError
from headstart.settings import Faults, Settings, resolve, setting
from headstart.types import Batch, Features, Spec


class ASTConfig(Settings):
    """Its size and its patches."""

    size: Literal["mini", "tiny", "small", "base"] = setting(
        "mini", "mini suits a CPU; tiny, small and base are DeiT's", flag=""
    )
    patch: int = setting(8, "bands and columns of a patch", flag="", least=1)
    positions: Literal["learned", "sincos"] = setting(
        "sincos", "learned, or fixed waves in 2-D", flag=""
    )
    drop_path: float = setting(
        0.0, "share of samples that skip the last block", flag="", least=0, below=1
    )


class AST(Patched):
    """Log-mel maps → a token a column of patches, and their mean and maximum."""

    Config: ClassVar[type[Settings]] = ASTConfig
    dimensions: ClassVar[int | None] = 3

    def __init__(self, config: ASTConfig, spec: Spec) -> None:
        nn.Module.__init__(self)
        if not spec.is_image:
            raise UserError(
                f"backbone 'ast' needs maps of pitch and time; these samples have shape"
                f" {list(spec.shape)}.",
                "Use --backbone vit for pictures, wave for the waves themselves.",
            )
        faults = Faults()
        inner = resolve(ViTConfig, {**vars(config), "pool": "mean"}, faults, "backbone")
        faults.raise_if_any()
        assert inner is not None
        self.spec = spec
        self.vit = ViT(inner, spec)
        self.patch, self.grid, self.numbers = self.vit.patch, self.vit.grid, self.vit.numbers
        self.stride = self.patch
        self.token_dim, self.dim = self.vit.token_dim, 2 * self.vit.token_dim

    def forward(self, batch: Batch) -> Features:
        """`[B, 1, M, W·T]` → pooled `[B, 2D]`, tokens `[B, W·t, D]`, mask `[B, W·t]`."""
        parts = windows(batch.x, self.spec)
        patches = self.vit(Batch(parts.x)).tokens  # [P, h·t, D]
        tokens, mask = parts.joined(patches.unflatten(1, self.grid).mean(1), self.stride)
        return Features(pooled=mean_and_max(tokens, mask), tokens=tokens, mask=mask)

    def frames(self, batch: Batch) -> Tensor:
        """`[B]`."""
        return frames_of(batch.x, self.spec, self.stride)

    def encode(self, batch: Batch, visible: Tensor | None) -> Features:
        """Some patches of maps of one window: pooled `[B, D]`, tokens `[B, V, D]`."""
        return self.vit.encode(batch, visible)

    def layers(self) -> list[nn.Module]:
        """The transformer's."""
        return self.vit.layers()
