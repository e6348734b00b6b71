"""Masked contrast of moments: wav2vec 2.0 (Baevski et al., 2020, arXiv:2006.11477), unquantised.

Stretches of a recording's frames are hidden before frames look at one another; from what surrounds
it, each hidden frame must be told from other moments of the same recording. Contrastive predictive
coding (van den Oord et al., 2018, arXiv:1807.03748) asks the same of the future alone.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart import collectives
from headstart.backbones.base import Backbone
from headstart.backbones.framed import Framed
from headstart.parts.learner import Learner
from headstart.settings import Settings, setting
from headstart.types import Batch, Spec, Step


class Wav2VecConfig(Settings):
    """What is hidden, and how sharply moments are told apart."""

    hidden: float = setting(
        0.5, "share of a recording's frames that is hidden, about", flag="", above=0, below=1
    )
    span: int = setting(5, "frames that are hidden together", flag="", least=1)
    temperature: float = setting(0.1, "of the similarities", flag="", above=0)
    width: int = setting(64, "of the vectors that are compared", flag="", least=1)


class Wav2Vec(Learner):
    """Hidden frames find themselves among the other frames of their recording."""

    Config: ClassVar[type[Settings]] = Wav2VecConfig
    needs: ClassVar[type[Backbone]] = Framed  # type: ignore[type-abstract]
    augment = True
    encoder: Framed

    def __init__(self, config: Wav2VecConfig, encoder: Framed, spec: Spec) -> None:  # noqa: ARG002 - compares features, whatever the input
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.veil = nn.Parameter(0.1 * torch.randn(encoder.token_dim))
        self.guess = nn.Linear(encoder.token_dim, config.width)
        self.truth = nn.Linear(encoder.token_dim, config.width)

    def forward(self, batch: Batch, *, player: str, progress: float) -> Step:  # noqa: ARG002 - one player, no phases
        """InfoNCE over the frames of each recording, averaged over hidden frames."""
        h, parts = self.encoder.local(batch)  # [P, t, D]
        _, there = parts.joined(h, self.encoder.stride)
        there = there[:, : h.shape[1]]  # one window: P = B
        hidden = hidden_spans(there, self.config.hidden, self.config.span)
        seen = torch.where(hidden[:, :, None], self.veil.to(h), h)
        guess = self.guess(self.encoder.surrounded(seen))
        loss, right = contrast(guess, self.truth(h), hidden, there, self.config.temperature)
        step = Step.sum(max(1, int(hidden.sum())), contrast=loss)
        step.logs["found"] = right
        return step


def hidden_spans(there: Tensor, share: float, span: int) -> Tensor:
    """Stretches of `span` frames that are hidden, bool `[B, t]`; at least one in each recording.

    there: `[B, t]`. Beginnings are drawn so that about `share` of the frames are covered, as
    overlaps go: 1 − (1 − p)^span.
    """
    chance = 1 - (1 - share) ** (1 / span)
    draw = collectives.rand_like(there.float())
    begins = (draw < chance) & there
    # The luckiest frame begins a stretch in any case.
    surest = draw.masked_fill(~there, 2.0).argmin(dim=1, keepdim=True)
    begins = begins.scatter(1, surest, torch.ones_like(surest, dtype=torch.bool))
    spread = F.max_pool1d(F.pad(begins.float()[:, None], (span - 1, 0)), span, stride=1)[:, 0]
    return (spread > 0) & there


def contrast(
    guess: Tensor, truth: Tensor, hidden: Tensor, there: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """−log( exp(cos(g_i, z_i) / τ) / Σ_j exp(cos(g_i, z_j) / τ) ) over j of the same recording.

    guess, truth: `[B, t, P]`; hidden, there: `[B, t]`. Returns the mean over hidden frames, and the
    share of them that are found.
    """
    g, z = F.normalize(guess.float(), dim=-1), F.normalize(truth.float(), dim=-1)
    logits = (g @ z.transpose(1, 2) / temperature).masked_fill(~there[:, None], -torch.inf)
    wanted = torch.arange(g.shape[1], device=g.device).expand(len(g), -1)
    chosen, right = logits[hidden], wanted[hidden]  # [M, t], [M]
    found = (chosen.detach().argmax(dim=1) == right).float().mean()
    return F.cross_entropy(chosen, right), found
