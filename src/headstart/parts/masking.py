"""Which tokens to hide, and behind what. All on `[B, T]` at once."""

from __future__ import annotations

import torch
from torch import Tensor

from headstart.modalities.augment.words import is_text
from headstart.types import Vocabulary

MOST_PIECES = 4  # of a word that are hidden at once: scripts without spaces have no shorter words
MOST_OF_A_SPAN = 10  # SpanBERT's


def hidden_tokens(x: Tensor, ratio: float, vocabulary: Vocabulary) -> Tensor:
    """Each token by itself, with probability `ratio`."""
    return _some((torch.rand(x.shape, device=x.device) < ratio), is_text(x, vocabulary))


def hidden_words(x: Tensor, ratio: float, vocabulary: Vocabulary) -> Tensor:
    """All pieces of a word together, each word with probability `ratio`.

    A word longer than `MOST_PIECES` counts as several.
    """
    text = is_text(x, vocabulary)
    inside = torch.tensor(vocabulary.inside, device=x.device)[x] & text
    place = torch.arange(x.shape[1], device=x.device).expand_as(x)
    begun = place.masked_fill(inside, 0).cummax(dim=1).values  # where each token's word begins
    first = (place - begun) % MOST_PIECES == 0
    word = first.cumsum(dim=1) - 1  # [B, T], number of the word within its row
    lot = torch.rand(x.shape, device=x.device).gather(1, word)
    return _some(lot < ratio, text)


def hidden_spans(x: Tensor, ratio: float, mean: float, vocabulary: Vocabulary) -> Tensor:
    """Runs of tokens whose lengths follow a geometric law (SpanBERT, section 3.1).

    Spans may overlap; so many begin that `ratio` of the tokens is hidden.
    """
    text = is_text(x, vocabulary)
    lengths = torch.empty(x.shape, device=x.device).geometric_(1 / max(mean, 1.0))
    lengths = lengths.clamp(max=MOST_OF_A_SPAN).long()
    # A token stays in sight if none of the spans that could reach it begins: (1 − p)^mean.
    begins = torch.rand(x.shape, device=x.device) < 1 - (1 - ratio) ** (1 / max(mean, 1.0))
    place = torch.arange(x.shape[1], device=x.device).expand_as(x)
    reach = ((place + lengths) * begins).cummax(dim=1).values
    return _some(reach > place, text)


def spoilt(
    x: Tensor, chosen: Tensor, vocabulary: Vocabulary, *, replace: float, keep: float
) -> Tensor:
    """`x` with most of the chosen tokens masked, some replaced by random ones, some kept."""
    lot = torch.rand(x.shape, device=x.device)
    seen = x.masked_fill(chosen & (lot >= replace + keep), vocabulary.mask)
    if replace > 0:
        other = torch.randint(vocabulary.size, x.shape, device=x.device)
        special = torch.tensor(vocabulary.special, device=x.device)
        other = torch.where(torch.isin(other, special), x, other)
        seen = torch.where(chosen & (lot < replace), other, seen)
    return seen


def _some(chosen: Tensor, text: Tensor) -> Tensor:
    """The chosen among what is text; where that is nothing, the first token of text."""
    chosen = chosen & text
    if not bool(chosen.any()):
        first = text.flatten().to(torch.uint8).argmax()
        chosen.view(-1)[first] = True
    return chosen
