"""What can go wrong in a training, each recognised from figures by a pure function.

Every detector answers with a `Finding`, one plain sentence and what to do, or None. Thresholds
are wide: a sentence that comes without need is soon not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

TRIVIAL = 0.97  # a loss above this share of the trivial answer's is no learning
EARLY = 0.25  # of the training: before that, not having learned is no fault
ALIKE = 0.01  # embeddings that spread less than this share of their size are all alike
DEAD_SHARE = 0.25
FEWEST_LINES = 6
EXPLODED = 100.0
FEWEST_STALE = 3
ONE_DIRECTION = 0.15  # of what directions spread when they fill the sphere
ONE_MODE = 0.5  # made samples that differ by less than this share of real ones' distance


@dataclass(frozen=True)
class Finding:
    """What was seen, in a sentence, and what to do about it."""

    name: str
    message: str
    advice: str

    def plain(self) -> dict[str, str]:
        """As `result.json` holds it."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.name}: {self.message} {self.advice}"


def divergence(losses: Sequence[float]) -> Finding | None:
    """The loss lies above where it began, or gave back more than half of what it had gained."""
    if len(losses) < FEWEST_LINES:
        return None
    first, best, now = median(losses[:3]), min(losses), median(losses[-3:])
    # Second differences: a steady fall is no noise.
    bends = (losses[i] - 2 * losses[i + 1] + losses[i + 2] for i in range(len(losses) - 2))
    noise = median(abs(bend) / 2 for bend in bends)
    gained = first - best
    above = now > first + max(0.05 * abs(first), 4 * noise)
    lost = gained > max(0.2 * abs(first), 8 * noise) and now > best + 0.5 * gained
    if not (above or lost):
        return None
    start = f"{best:.4g}" if lost else f"{first:.4g} at the start"
    return Finding(
        "divergence",
        f"the training loss rose from {start} to {now:.4g}.",
        "Lower --lr, or clip harder (--set training.clip=0.5).",
    )


def explosion(norms: Sequence[float]) -> Finding | None:
    """The gradient is a hundred times its usual size."""
    if len(norms) < FEWEST_LINES:
        return None
    usual, now = median(norms[:-1]), norms[-1]
    if usual <= 0 or now <= EXPLODED * usual:
        return None
    return Finding(
        "gradient explosion",
        f"the gradient's norm is {now:.3g}, and was {usual:.3g} before.",
        "Lower --lr, lengthen the warm-up (--set training.warmup=0.2), or clip harder"
        " (--set training.clip=0.5).",
    )


def trivial_answer(
    loss: float, trivial: float, progress: float, *, reconstructs: bool
) -> Finding | None:
    """A quarter of the training is over, and the answer that ignores its input is as good."""
    if progress < EARLY or not loss >= TRIVIAL * trivial:  # nor where it is not a number
        return None
    if reconstructs:
        return Finding(
            "average answer",
            f"the network has collapsed: it answers the average sample whatever it is shown: its"
            f" reconstruction loss of {loss:.4f} is no better than the {trivial:.4f} of always"
            " giving the mean (the variance of the data).",
            "Leave the code linear and bound the output by a sigmoid (--preset article-mended),"
            " widen the code, or train longer.",
        )
    return Finding(
        "plateau",
        f"the loss of {loss:.4f} never came below the {trivial:.4f} of an answer that ignores"
        " the sample.",
        "Raise --lr, choose another --activation, or look whether the labels fit the samples.",
    )


def standstill(losses: Sequence[float], progress: float) -> Finding | None:
    """For losses whose trivial value is unknown: it has not moved since the start."""
    if len(losses) < FEWEST_LINES or progress < EARLY:
        return None
    first = losses[0]
    if any(abs(loss - first) > 0.01 * abs(first) for loss in losses):
        return None
    return Finding(
        "plateau",
        f"the loss has stayed at {first:.4g} since the start.",
        "Raise --lr, or choose another --activation.",
    )


def collapse(figures: Mapping[str, Any]) -> Finding | None:
    """Every sample has the same embedding; `figures` as `embedding_figures` gives them."""
    width = figures["embedding_width"]
    if figures["dead_units"] == width:
        return Finding(
            "collapse",
            f"all {width} units of the embedding give the same value for every sample: the"
            " encoder has collapsed and tells samples apart no more.",
            "Leave the last layer of the encoder linear, or widen it; with an objective that"
            " compares views, raise what keeps them apart, or lower --lr.",
        )
    if figures["embedding_spread"] < ALIKE:
        return Finding(
            "collapse",
            f"the embeddings of all samples are alike: they differ by"
            f" {figures['embedding_spread']:.1e} of their size.",
            "With an objective that compares views, raise what keeps them apart; or lower --lr.",
        )
    return None


def low_rank(figures: Mapping[str, Any], progress: float) -> Finding | None:
    """The embeddings lie on a line, though they have eight dimensions or more."""
    width, rank = figures["embedding_width"], figures["effective_rank_centred"]
    if progress < EARLY or width < 8 or rank >= 1.5:
        return None
    return Finding(
        "dimensional collapse",
        f"the embeddings vary in {rank:.1f} directions of {width} (effective rank).",
        "Lower --lr, widen the narrowest layer, or choose an objective that keeps dimensions"
        " apart.",
    )


def dead_units(figures: Mapping[str, Any], layers: Mapping[str, tuple[int, int]]) -> Finding | None:
    """More than a quarter of the embedding's units, or of a layer's, are constant."""
    dead, width = figures["dead_units"], figures["embedding_width"]
    if dead == width:
        return None  # that is a collapse
    where = "the embedding"
    worst = max(layers, key=lambda name: layers[name][0] / layers[name][1], default=None)
    if dead <= DEAD_SHARE * width:
        if worst is None or layers[worst][0] <= DEAD_SHARE * layers[worst][1]:
            return None
        where, (dead, width) = f"layer {worst} of the encoder", layers[worst]
    return Finding(
        "dead units",
        f"{dead} of {width} units of {where} are constant.",
        "Use an activation that cannot die (--activation gelu), or a lower --lr.",
    )


def overfitting(rows: Sequence[tuple[float, float, float]]) -> Finding | None:
    """The validation loss rises while the training loss falls.

    rows: (epoch, training loss, validation loss) at each validation.
    """
    if len(rows) < FEWEST_STALE + 1:
        return None
    best = min(range(len(rows)), key=lambda i: rows[i][2])
    since = rows[best + 1 :]
    if len(since) < FEWEST_STALE:
        return None
    epoch, train_then, lowest = rows[best]
    train_now = rows[-1][1]
    now = min(row[2] for row in since[-FEWEST_STALE:])
    if now <= lowest + 0.05 * abs(lowest) or train_now >= train_then:
        return None
    return Finding(
        "overfitting",
        f"the validation loss was lowest at epoch {epoch:.1f} ({lowest:.4g}) and has risen to"
        f" {rows[-1][2]:.4g}, while the training loss fell from {train_then:.4g} to"
        f" {train_now:.4g}.",
        "The best weights on validation are kept. Use more labels, stronger augmentation,"
        " --mode frozen, or --patience 3.",
    )


def gap(train_loss: float, validation_loss: float) -> Finding | None:
    """At the end: validation is much worse than training."""
    if validation_loss <= 1.5 * train_loss + 0.05:
        return None
    return Finding(
        "overfitting",
        f"the loss is {validation_loss:.4g} on validation and {train_loss:.4g} in training.",
        "Use more labels, stronger augmentation, --mode frozen, or --patience 3.",
    )


def not_a_number(skipped: int, first_step: int | None, file: str | None) -> Finding | None:
    """Steps were skipped because a loss or a gradient was not a number."""
    if skipped == 0:
        return None
    kept = f" The first batch, of step {first_step}, is in {file}." if file else ""
    return Finding(
        "not a number",
        f"{skipped} steps gave a loss or gradient that is not a number; they were skipped and"
        f" never reached the weights.{kept}",
        "Lower --lr if there are many.",
    )


def mode_collapse(diversity: float) -> Finding | None:
    """Made samples are much more alike than real ones.

    diversity: their mean distance, as a share of the real ones'.
    """
    if diversity >= ONE_MODE:
        return None
    return Finding(
        "mode collapse",
        "the samples it makes are nearly all the same: they differ by"
        f" {diversity:.0%} of what real ones differ by.",
        "Raise --set objective.penalty, lower --set objective.generator_rate (of a game) or"
        " --set objective.beta (of a variational autoencoder), or train longer.",
    )


def same_direction(spread: float, progress: float) -> Finding | None:
    """The projections of all samples point the same way.

    The features below may still differ, by what the network happened to be drawn with: a SimSiam
    without its stopped gradient ends with a spread of 0.06 and an effective rank as before.

    spread: of unit vectors, 1 when they fill the sphere evenly.
    """
    if progress < EARLY or spread >= ONE_DIRECTION:
        return None
    return Finding(
        "collapse",
        "the projections of all samples are nearly the same: their directions spread"
        f" {spread:.2f} of what they could, so comparing views has taught the encoder nothing.",
        "Lower --lr, use a larger --batch-size, or an objective that pushes samples apart"
        " (simclr, vicreg, barlow, lejepa).",
    )
