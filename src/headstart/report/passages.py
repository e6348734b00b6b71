"""Texts on the page: hidden words and guesses, the worst mistakes, words that decided."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from headstart.modalities.augment.words import is_text
from headstart.modalities.text import Text
from headstart.objectives.mlm import MLM
from headstart.report.page import Passage, Word
from headstart.tasks.lexical import Lexical
from headstart.types import Batch
from headstart.workflows.loaded import LoadedRun

SHOWN = 12  # texts of each kind
GUESSES = 5  # for each hidden word
MOST_TOKENS = 80  # of a text that are shown


@dataclass
class _Judged:
    """Answers for texts. x: compact `[N, T]`; outputs: `[N, K]`; targets: `[N]`, encoded."""

    x: Tensor
    outputs: Tensor
    targets: Tensor


def guesses(run: LoadedRun, x: Tensor) -> Passage | None:
    """What a masked language model makes of hidden words; None for other runs."""
    learner, modality = run.learner, run.modality
    if not isinstance(learner, MLM) or not isinstance(modality, Text):
        return None
    batch = run.batch(x[:SHOWN])
    torch.default_generator.manual_seed(0)
    with torch.no_grad():
        chosen = learner.hide(batch.x)
        seen = batch.x.masked_fill(chosen, learner.encoder.vocabulary.mask)
        share = learner.guess(seen, chosen).softmax(dim=1)  # [M, V]
    best, which = share.topk(min(GUESSES, share.shape[1]), dim=1)
    rows: list[list[list[Word]]] = []
    at = 0
    for row, hidden in zip(batch.x, chosen, strict=True):
        count = int(hidden.sum())
        context = _words(modality, row, hidden.float(), blank=hidden)
        told: list[Word] = []
        for place, token in enumerate(row[hidden].tolist()):
            said = [modality.pieces(which[at + place])[i].strip() for i in range(which.shape[1])]
            shown = ", ".join(
                f"{word} {share_:.0%}"
                for word, share_ in zip(said, best[at + place].tolist(), strict=True)
            )
            right = 1.0 if which[at + place, 0] == token else 0.0
            told.append(Word(f"{modality.pieces(torch.tensor([token]))[0].strip()}: ", right))
            told.append(Word(f"{shown}; "))
        at += count
        rows.append([context, told])
    return Passage(
        "Hidden words and what was guessed",
        ["text", "truth: guesses, likeliest first"],
        rows,
        "Texts that training has not seen; a truth in colour was the first guess.",
    )


def mistakes(run: LoadedRun, x: Tensor, outputs: Tensor, targets: Tensor) -> Passage | None:
    """The texts whose answers are most wrong, and the words that decided; None if none is."""
    task, modality = run.task, run.modality
    assert task is not None
    if not isinstance(modality, Text) or outputs.ndim != 2:
        return None
    order = task.worst(outputs, targets, SHOWN)
    if not order:
        return None
    rows = _decided(run, modality, _Judged(x[order], outputs[order], targets[order]))
    return Passage(
        "Worst mistakes", ["true → predicted", "text"], rows,
        "A word is the darker, the more the answer hung on it (gradient times embedding). Look for"
        " wrong labels, and for words that should not decide.",
    )  # fmt: skip


def decisions(run: LoadedRun, x: Tensor, outputs: Tensor, targets: Tensor) -> Passage | None:
    """The first texts, and the words that decided."""
    if not isinstance(run.modality, Text) or outputs.ndim != 2:
        return None
    some = _Judged(x[:SHOWN], outputs[:SHOWN], targets[:SHOWN])
    return Passage(
        "Words that decided", ["true → predicted", "text"], _decided(run, run.modality, some),
        "The first texts of the test split. A word is the darker, the more the answer hung on it.",
    )  # fmt: skip


def attribution(run: LoadedRun, x: Tensor) -> Tensor:
    """How much the answer for each of `[B, T]` hangs on each token, in 0..1 within a text.

    |gradient of the answer's output · embedding| (Li et al., 2016, arXiv:1506.01066; with the
    input as in Shrikumar et al., 2017, arXiv:1605.01713); weights of runs beside the network say by
    themselves what they lose with each token.
    """
    learner = run.supervised
    kept: list[Tensor] = []

    def keep(module: object, inputs: object, output: Tensor) -> None:  # noqa: ARG001 - PyTorch's face
        output.requires_grad_(True)
        output.retain_grad()
        kept.append(output)

    table = learner.encoder.get_submodule("embedding")
    handle = table.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            outputs = learner.outputs(Batch(x))
            best, best_of = outputs.max(dim=1)
            best.sum().backward()  # type: ignore[no-untyped-call]
    finally:
        handle.remove()
    gradient = kept[0].grad
    assert gradient is not None
    score = (gradient * kept[0]).sum(dim=-1).detach()  # [B, T], or [M] without padding
    if score.ndim == 1:
        vocabulary = run.modality.spec.vocabulary
        assert vocabulary is not None
        there = torch.ne(x, vocabulary.pad)
        score = score.new_zeros(x.shape).masked_scatter(there, score)
    if learner.lexical is not None:
        score = score + torch.stack(
            [weighed(learner.lexical, row, int(best)) for row, best in zip(x, best_of, strict=True)]
        )
    score = score.abs()
    return score / score.amax(dim=1, keepdim=True).clamp(min=1e-12)


@torch.no_grad()
def weighed(lexical: Lexical, row: Tensor, output: int) -> Tensor:
    """What the weights of runs lose of an output when each token of `[T]` is hidden: `[T]`."""
    mask = lexical.vocabulary.mask
    hidden = row.repeat(len(row), 1).fill_diagonal_(mask)  # [T, T]
    whole: Tensor = lexical(row[None])  # [1, K]
    less: Tensor = lexical(hidden)  # [T, K]
    return whole[0, output] - less[:, output]


def _decided(run: LoadedRun, modality: Text, judged: _Judged) -> list[list[list[Word]]]:
    task = run.task
    assert task is not None
    rows = []
    for i in range(len(judged.x)):
        prepared = run.batch(judged.x[i : i + 1]).x
        weight = attribution(run, prepared)[0]
        verdict = task.verdict(judged.outputs[i], judged.targets[i])
        rows.append([[Word(verdict)], _words(modality, prepared[0], weight)])
    return rows


def _words(modality: Text, row: Tensor, weight: Tensor, blank: Tensor | None = None) -> list[Word]:
    """The tokens of one text, each with a weight in 0..1; those of `blank` are not shown."""
    text = is_text(row, modality.vocabulary)
    if blank is not None:
        text = text | blank
    words: list[Word] = []
    for piece, said, heavy, i in zip(
        modality.pieces(row), text.tolist(), weight.tolist(), range(len(row)), strict=True
    ):
        if said and len(words) < MOST_TOKENS:
            hidden = blank is not None and bool(blank[i])
            words.append(Word(" ____" if hidden else piece, heavy))
    return words
