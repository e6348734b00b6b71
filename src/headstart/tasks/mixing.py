"""Mixup (Zhang et al., 2018, arXiv:1710.09412) and CutMix (Yun et al., 2019, arXiv:1905.04899).

Two labelled samples become one, and its label is both, in the proportion of the samples: a network
that must answer in proportion is less sure of itself between the few labels it has.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Beta

from headstart.errors import UserError
from headstart.types import Batch, Spec


@dataclass
class Mixed:
    """Samples made of two.

    batch: `[B, ...]`; partner: `[B]`, the number of the other sample; share: `[]`, of the first.
    """

    batch: Batch
    partner: Tensor
    share: Tensor

    def loss(self, first: Tensor, second: Tensor) -> Tensor:
        """The losses against both labels, in proportion: cross-entropy is linear in the label."""
        return self.share * first + (1 - self.share) * second


def check(mixup: float, cutmix: float, spec: Spec, *, framewise: bool) -> None:
    """Refuse to mix what cannot be mixed.

    Any target can be mixed: `Mixed.loss` of cross-entropies is that of the label in between, and of
    squared errors it has the gradient of the error from the number in between.

    framewise: whether the task answers for frames, which two samples do not have in common.

    Raises:
        UserError: the task or the samples cannot be mixed, or samples to cut are no pictures.
    """
    for name, strength in (("mixup", mixup), ("cutmix", cutmix)):
        if strength and framewise:
            raise UserError(
                f"finetune.{name} mixes samples; this task answers for their parts.",
                "Leave it at 0.",
            )
        if strength and spec.kind not in ("continuous", "mixed"):
            raise UserError(
                f"finetune.{name} mixes numbers; these samples are of kind '{spec.kind}'.",
                "Leave it at 0.",
            )
    if cutmix and not spec.is_image:
        raise UserError("finetune.cutmix cuts pictures; these are none.", "Use finetune.mixup.")


def mix(x: Tensor, mixup: float, cutmix: float, *, blends: bool = False) -> Mixed:
    """Mix each sample of `[B, ...]` with another; one way a batch, drawn where both are on.

    mixup, cutmix: α of Beta(α, α), from which the proportion is drawn; 0 for never.
    blends: whether the backbone does it, once it has encoded what cannot be mixed as it is.
    """
    cut = cutmix > 0 and (mixup == 0 or bool(torch.rand(()) < 0.5))
    strength = cutmix if cut else mixup
    share = Beta(strength, strength).sample()
    partner = torch.randperm(len(x)).to(x.device)
    if cut:
        return cut_in(x, partner, share, torch.rand(2))
    share = share.to(x)
    if blends:
        return Mixed(Batch(x, blend=(partner, share)), partner, share)
    # Not a sum of two products: what is empty in both must stay exactly that (`Spec.empty`).
    return Mixed(Batch(torch.lerp(x[partner], x, share)), partner, share)


def cut_in(x: Tensor, partner: Tensor, share: Tensor, centre: Tensor) -> Mixed:
    """Put a box of each partner, an area of about 1 - share, into `[B, C, H, W]`.

    centre: of the box, `[2]`, in shares of height and width. The box ends at the border, and the
    proportion returned is that of the pixels (the paper's section 3.1, and its code's correction).
    """
    inside = []
    for side, at in zip(x.shape[-2:], centre.tolist(), strict=True):
        half = side * torch.sqrt(1 - share) / 2
        low, high = torch.floor(at * side - half), torch.floor(at * side + half)
        pixel = torch.arange(side)
        inside.append((pixel >= low) & (pixel < high))
    box = (inside[0][:, None] & inside[1][None, :]).to(x.device)  # [H, W]
    mixed = torch.where(box, x[partner], x)
    return Mixed(Batch(mixed), partner, 1 - box.to(x.dtype).mean())
