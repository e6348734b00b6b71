"""Other texts of the same meaning, or nearly: words hidden, stretches removed."""

from __future__ import annotations

import torch
from torch import Tensor

from headstart.modalities.augment.draws import rand
from headstart.types import Vocabulary


def is_text(x: Tensor, vocabulary: Vocabulary) -> Tensor:
    """Which tokens `[B, T]` are text: neither padding nor begin, end, mask."""
    special = torch.tensor(vocabulary.special, device=x.device)
    return ~torch.isin(x, special)


def dropped(x: Tensor, share: float, vocabulary: Vocabulary) -> Tensor:
    """Tokens `[B, T]`, each of the text's own hidden behind the mask with probability `share`."""
    if share <= 0:
        return x
    chosen = (rand(*x.shape, device=x.device) < share) & is_text(x, vocabulary)
    return x.masked_fill(chosen, vocabulary.mask)


def without_span(x: Tensor, share: float, vocabulary: Vocabulary) -> Tensor:
    """Tokens `[B, T]` less one stretch of each text, `share` of it long; padded at the end."""
    if share <= 0:
        return x
    length = is_text(x, vocabulary).sum(dim=1, keepdim=True)  # [B, 1]
    cut = (share * length).round()
    start = 1 + (rand(len(x), 1, device=x.device) * (length - cut + 1)).floor()
    place = torch.arange(x.shape[1], device=x.device)[None]
    gone = (place >= start) & (place < start + cut) & is_text(x, vocabulary)
    order = gone.to(torch.uint8).argsort(dim=1, stable=True)  # what stays, in order, first
    return x.masked_fill(gone, vocabulary.pad).gather(1, order)


def deleted(x: Tensor, share: float, vocabulary: Vocabulary) -> Tensor:
    """Tokens `[B, T]` less each of the text's own with probability `share`, moved together."""
    gone = (rand(*x.shape, device=x.device) < share) & is_text(x, vocabulary)
    order = gone.to(torch.uint8).argsort(dim=1, stable=True)
    return x.masked_fill(gone, vocabulary.pad).gather(1, order)
