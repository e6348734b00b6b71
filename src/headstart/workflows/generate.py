"""Texts written by a causal language model, token by token."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from headstart.errors import UserError
from headstart.modalities import tokenizer
from headstart.modalities.text import Text
from headstart.objectives.causal import CausalLM
from headstart.workflows.loaded import LoadedRun


def generate(
    run: LoadedRun,
    prompt: str = "",
    *,
    count: int = 1,
    tokens: int = 50,
    temperature: float = 0.8,
    top_p: float = 0.95,
    seed: int = 0,
) -> list[str]:
    """`count` texts that go on from `prompt`, each of at most `tokens` tokens more.

    temperature: 0 takes the likeliest token each time. top_p: tokens are drawn from the fewest
    that hold so much of the probability together (Holtzman et al., 2020, arXiv:1904.09751).

    Raises:
        UserError: the run has not learned to write, or a number is out of range.
    """
    learner, modality = run.learner, run.modality
    if not isinstance(learner, CausalLM) or not isinstance(modality, Text):
        raise UserError(
            f"{run.folder.path} has not learned to write.",
            "Pre-train with --objective causal first.",
        )
    for name, value, least in (("count", count, 1), ("tokens", tokens, 1)):
        if value < least:
            raise UserError(f"--{name} must be at least {least}, not {value}.")
    if temperature < 0 or not 0 < top_p <= 1:
        raise UserError(
            f"--temperature must not be below 0, nor --top-p outside 0..1; they are"
            f" {temperature:g} and {top_p:g}."
        )
    v = modality.vocabulary
    ids = [v.begin]
    if prompt.strip():
        text = tokenizer.spaced(prompt)
        ids += modality.tokenizer.encode(text, add_special_tokens=False).ids
    x = torch.tensor([ids] * count, device=run.device)
    generator = torch.Generator(device=run.device).manual_seed(seed)
    made = _go_on(learner, x, tokens, lambda z: drawn(z, temperature, top_p, generator))
    return modality.texts(made.cpu())


@torch.no_grad()
def _go_on(learner: CausalLM, x: Tensor, tokens: int, draw: Callable[[Tensor], Tensor]) -> Tensor:
    """Texts `[B, T]` with up to `tokens` more; padded behind their ends."""
    v = learner.encoder.vocabulary
    over = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    never = torch.tensor([v.pad, v.begin, v.mask, v.unknown], device=x.device)
    for _ in range(tokens):
        logits = learner.next_logits(x).float()
        logits[:, never] = -torch.inf
        following = draw(logits)
        # The network may not see padding here; what an ended text goes on with is thrown away.
        x = torch.cat([x, following[:, None]], dim=1)
        over |= following == v.end
        if bool(over.all()):
            break
    ended = (x == v.end).cumsum(dim=1) > 0
    return x.masked_fill(ended, v.pad)


def drawn(logits: Tensor, temperature: float, top_p: float, generator: torch.Generator) -> Tensor:
    """A token from each row of logits `[B, V]` → `[B]`."""
    if temperature == 0:
        return logits.argmax(dim=1)
    share, order = (logits / temperature).softmax(dim=1).sort(dim=1, descending=True)
    before = share.cumsum(dim=1) - share  # what likelier tokens hold; the first has 0 before it
    share = share.masked_fill(before >= top_p, 0.0)
    place = torch.multinomial(share, 1, generator=generator)
    return order.gather(1, place)[:, 0]
