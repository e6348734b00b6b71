"""Connectionist temporal classification: Graves et al., 2006, doi:10.1145/1143844.1143891.

A unit or the blank a frame; repeats are one, blanks are none. The best path takes each frame's
likeliest; the prefix beam (Graves and Jaitly, 2014; Hannun et al., 2014, arXiv:1408.2873) adds up
all paths of a text, and may ask a language model.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.tasks.ngrams import END, Ngrams

BLANK = 0
AROUND = 0.75  # of the length of a unit, to either side of where `flat_loss` looks for it
FLOOR = 1e-6  # of a unit's mean probability in `flat_loss`
LEAST = -12.0  # log probability of a unit in a frame beneath which a beam does not try it


@dataclass(frozen=True)
class Spoken:
    """A unit that was heard: its number, its first frame, the frame after its last, its belief."""

    unit: int
    begin: int
    end: int
    belief: float


def ctc_loss(outputs: Tensor, frames: Tensor, targets: Tensor) -> Tensor:
    """−log P(text | frames), a unit: mean over samples of each one's divided by its units.

    outputs: `[B, T, K]`, unit 0 the blank; frames: of each, `[B]`; targets: `[B, S]`, negative
    after a text's end. A text that does not fit into its frames (`frames_needed`) counts nothing:
    there are none in training but where augmentation made a recording shorter.
    """
    units = (targets > BLANK).sum(dim=1)
    log_law = outputs.float().log_softmax(dim=-1).transpose(0, 1)  # [T, B, K]
    each = F.ctc_loss(
        log_law, targets.clamp(min=0), frames, units, BLANK, reduction="none", zero_infinity=True
    )
    return (each / units.clamp(min=1)).mean()


def flat_loss(outputs: Tensor, frames: Tensor, targets: Tensor) -> Tensor:
    """A flat start: each unit is heard about where it would be if all were equally long.

    Before a network can tell units apart, CTC's gradient says little of which one is said when, and
    for long it answers blanks. Hidden Markov models are trained from such an even alignment (Young
    et al., The HTK Book, section 8.3); here unit i of S may be anywhere in the frames within
    0.75 T/S of (i + 1/2) T/S: −log of its mean probability there, averaged over a text's units
    and over samples. A text that does not fit into its frames counts nothing, as in `ctc_loss`.

    outputs: `[B, T, K]`, unit 0 the blank; frames: of each, `[B]`; targets: `[B, S]`, negative
    after a text's end.
    """
    law = outputs.float().softmax(dim=-1)
    said = targets > BLANK
    units = said.sum(dim=1, keepdim=True).clamp(min=1)  # [B, 1]
    steps = torch.arange(outputs.shape[1], device=outputs.device)
    order = torch.arange(targets.shape[1], device=outputs.device)
    at = (steps + 0.5) / frames[:, None].clamp(min=1)  # [B, T], in recordings
    place = (order + 0.5) / units  # [B, S]
    near = (at[:, :, None] - place[:, None]).abs() <= AROUND / units[:, :, None]  # [B, T, S]
    near &= (steps < frames[:, None])[:, :, None]
    belief = law.gather(2, targets.clamp(min=0)[:, None].expand(-1, law.shape[1], -1))
    frames_near = near.sum(dim=1)  # [B, S]
    mean = (belief * near).sum(dim=1) / frames_near.clamp(min=1)
    fits = frames_needed(targets) <= frames  # [B]
    asked = said & (frames_near > 0) & fits[:, None]
    # Beneath the floor there is no gradient: a unit that CTC has found elsewhere is left to it.
    each = -(mean.clamp(min=FLOOR).log() * asked).sum(dim=1, keepdim=True) / units
    return each.mean()


def frames_needed(targets: Tensor) -> Tensor:
    """The fewest frames in which texts can be said: one a unit, and a blank between two alike.

    targets: `[N, S]`, negative after a text's end. Returns `[N]`.
    """
    there = targets > BLANK
    alike = there[:, 1:] & (targets[:, 1:] == targets[:, :-1])
    return there.sum(dim=1) + alike.sum(dim=1)


def best_path(log_law: Tensor) -> list[Spoken]:
    """The likeliest path of `[T, K]`, repeats put together, blanks left out."""
    belief, units = log_law.max(dim=1)
    heard: list[Spoken] = []
    before = BLANK
    for t, (unit, share) in enumerate(zip(units.tolist(), belief.exp().tolist(), strict=True)):
        if unit != BLANK and unit == before:
            last = heard.pop()
            heard.append(Spoken(unit, last.begin, t + 1, max(last.belief, share)))
        elif unit != BLANK:
            heard.append(Spoken(unit, t, t + 1, share))
        before = unit
    return heard


def prefix_beam(
    log_law: Tensor, width: int, language: Ngrams | None = None, weight: float = 0.0
) -> list[int]:
    """The likeliest text of `[T, K]`: its units.

    width: texts that are followed at a time. language, weight: what its log probability counts
    beside the sound's; each unit is asked once, when it is first said.
    """
    # Of each text: log probability of its paths that end in a blank, and in its last unit.
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    said: dict[tuple[int, ...], float] = {(): 0.0}
    for frame in log_law.tolist():
        likely = [k for k, share in enumerate(frame) if share > LEAST and k != BLANK]
        after: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [-math.inf, -math.inf])
        for text, (blank, unit) in beams.items():
            whole = _add(blank, unit)
            stay = after[text]
            stay[0] = _add(stay[0], whole + frame[BLANK])
            if text:
                stay[1] = _add(stay[1], unit + frame[text[-1]])
            for k in likely:
                longer = (*text, k)
                if longer not in said:
                    asked = 0.0 if language is None else language.log_probability(k, text)
                    said[longer] = said[text] + weight * asked
                paths = blank if text and text[-1] == k else whole
                after[longer][1] = _add(after[longer][1], paths + frame[k])
        best = sorted(after, key=lambda text: _add(*after[text]) + said[text], reverse=True)
        beams = {text: (after[text][0], after[text][1]) for text in best[:width]}

    def ended(text: tuple[int, ...]) -> float:
        close = 0.0 if language is None else language.log_probability(END, text)
        return _add(*beams[text]) + said[text] + weight * close

    found: tuple[int, ...] = max(list(beams), key=ended)
    return list(found)


def aligned(log_law: Tensor, units: list[int]) -> list[Spoken]:
    """Where units were said: their likeliest path through `[T, K]` (Viterbi).

    Units that do not fit into the frames are left out.
    """
    states = [BLANK]
    for unit in units:
        states += [unit, BLANK]
    steps, count = len(log_law), len(states)
    law = log_law[:, states].tolist()
    skips = [s >= 2 and states[s] != BLANK and states[s] != states[s - 2] for s in range(count)]
    score = [law[0][s] if s < 2 else -math.inf for s in range(count)]
    back: list[list[int]] = []
    for t in range(1, steps):
        came, fresh = [], []
        for s in range(count):
            options = [(score[s], s)]
            if s >= 1:
                options.append((score[s - 1], s - 1))
            if skips[s]:
                options.append((score[s - 2], s - 2))
            best, origin = max(options)
            fresh.append(best + law[t][s])
            came.append(origin)
        score, back = fresh, [*back, came]
    at = max(range(max(0, count - 2), count), key=lambda s: score[s])
    if score[at] == -math.inf:
        return []
    path = [at]
    for came in reversed(back):
        path.append(came[path[-1]])
    path.reverse()
    heard = []
    for n, unit in enumerate(units):
        frames = [t for t, s in enumerate(path) if s == 2 * n + 1]
        belief = max(law[t][2 * n + 1] for t in frames)
        heard.append(Spoken(unit, frames[0], frames[-1] + 1, math.exp(belief)))
    return heard


def _add(a: float, b: float) -> float:
    """log(e^a + e^b)."""
    if a < b:
        a, b = b, a
    return a if b == -math.inf else a + math.log1p(math.exp(b - a))


def laws(outputs: Tensor, frames: Tensor) -> list[Tensor]:
    """Of each sample of `[N, T, K]` its log law, `[frames, K]`."""
    whole = torch.nan_to_num(outputs).float().log_softmax(dim=-1).cpu()
    return [law[: max(1, n)] for law, n in zip(whole, frames.tolist(), strict=True)]
