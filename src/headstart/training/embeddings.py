"""Figures of what an encoder makes of a few hundred samples, without labels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.base import ACTIVATIONS, Backbone
from headstart.types import Batch

CONSTANT = 1e-5  # a unit whose deviation over samples is below this says nothing
EPSILON = 1e-7  # RankMe's, against the logarithm of 0
_ACTIVATIONS = tuple(cls for name, cls in ACTIVATIONS.items() if name != "identity")


def embedding_figures(pooled: Tensor) -> dict[str, Any]:
    """What `[B, D]` embeddings say of themselves.

    embedding_deviation: mean over units of the deviation over samples.
    embedding_spread: root of the variance as a share of the mean square, 0 (all alike) to 1.
    effective_rank: RankMe; `effective_rank_centred`: the same about the mean embedding.
    dead_units: units that give every sample the same value.
    """
    pooled = pooled.detach().float().cpu()
    deviation = pooled.std(dim=0, correction=0)
    square = pooled.square().mean()
    spread = (deviation.square().mean() / square).sqrt() if square > 0 else torch.zeros(())
    return {
        "embedding_width": pooled.shape[1],
        "embedding_deviation": float(deviation.mean()),
        "embedding_spread": float(spread),
        "dead_units": int((deviation < CONSTANT).sum()),
        "effective_rank": effective_rank(pooled),
        "effective_rank_centred": effective_rank(pooled - pooled.mean(dim=0)),
    }


def effective_rank(pooled: Tensor) -> float:
    """exp of the entropy of the normalised singular values of `[B, D]` (RankMe, eqs. 1-2).

    Garrido et al., 2023, arXiv:2210.02885. 0 where every value is 0.
    """
    singular = torch.linalg.svdvals(pooled.detach().cpu().double())
    total = singular.sum()
    if total == 0:
        return 0.0
    p = singular / total + EPSILON
    return float(torch.exp(-(p * p.log()).sum()))


def retrieval(one: Tensor, other: Tensor) -> float:
    """Share of samples whose other view is the nearest of all, from two views of each `[N, D]`.

    Nearest by cosine about the mean embedding; both ways. Where all samples are alike, or views of
    one are unlike, it is 1 / N: it asks for what alignment and effective rank ask for together.
    """
    mean = (one.mean(dim=0) + other.mean(dim=0)) / 2
    a, b = (F.normalize((z - mean).float(), dim=1) for z in (one, other))
    cosine = a @ b.T  # [N, N]
    itself = torch.arange(len(a), device=a.device)
    found = [(c.argmax(dim=1) == itself).float().mean() for c in (cosine, cosine.T)]
    return float(sum(found)) / 2


@torch.no_grad()
def look(encoder: Backbone, probe: Batch) -> tuple[Tensor, dict[str, tuple[int, int]]]:
    """Pooled features `[B, D]` of a batch, and (dead, all) units of each activation by its name."""
    dead: dict[str, tuple[int, int]] = {}

    def note(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:  # noqa: ARG001 - PyTorch's face
            units = _units(output)
            constant = units.amax(dim=0) - units.amin(dim=0) < CONSTANT
            dead[name] = (int(constant.sum()), units.shape[1])

        return hook

    named = [(n, m) for n, m in encoder.named_modules() if isinstance(m, _ACTIVATIONS)]
    handles = [module.register_forward_hook(note(name)) for name, module in named]
    try:
        return encoder(probe).pooled.detach(), dead
    finally:
        for handle in handles:
            handle.remove()


def _units(output: Tensor) -> Tensor:
    """Values by unit, `[·, units]`: channels of `[B, C, H, W]`, the last dimension of others."""
    if output.ndim == 4:
        output = output.movedim(1, -1)
    return output.detach().reshape(-1, output.shape[-1])
