"""Did it go well? Detectors that say in a sentence what is wrong and what to try."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from headstart.parts.laws import diversity, frechet_distance, reduced
from headstart.parts.learner import Learner
from headstart.training.engine import Progress
from headstart.types import Batch

TRIVIAL = 0.97  # a loss above this share of the trivial answer's is no learning
ALIKE = 0.5  # samples that differ by less than this share of what real ones do have collapsed
CONSTANT = 1e-5  # a unit whose deviation over samples is below this says nothing


@torch.no_grad()
def examine(learner: Learner, probe: Batch, at: Progress) -> dict[str, Any]:
    """Judge a trained learner on a batch of samples, unaugmented.

    Returns `{"verdict": "healthy" | "warning" | "failed", "findings": [...], figures...}`; each
    finding has `name`, `message` and `advice`.
    """
    learner.eval()
    findings: list[dict[str, str]] = []
    pooled = learner.encoder(probe).pooled  # [B, D]
    figures = embedding_figures(pooled)
    figures["skipped_steps"] = at.skipped
    if at.skipped:
        findings.append(
            _finding(
                "not a number",
                f"{at.skipped} steps gave a loss or gradient that is not a number; they were"
                " skipped and never reached the weights.",
                "Lower --lr if there are many.",
            )
        )
    findings += _reconstruction(learner, probe, figures)
    findings += _made(learner, probe, figures)
    dead = figures["dead_units"]
    if dead == pooled.shape[1]:
        findings.append(
            _finding(
                "collapse",
                f"all {dead} units of the embedding give the same value for every sample: the"
                " encoder has collapsed and tells samples apart no more.",
                "Leave the last layer of the encoder linear, or widen it.",
            )
        )
    elif dead > 0.25 * pooled.shape[1]:
        findings.append(
            _finding(
                "dead units",
                f"{dead} of {pooled.shape[1]} units of the embedding are constant.",
                "Use an activation that cannot die (--activation gelu), or a lower --lr.",
            )
        )
    if at.first_loss is not None and at.last_loss is not None and not learner.game:
        limit = at.first_loss + 0.05 * abs(at.first_loss)
        if at.last_loss > limit:
            findings.append(
                _finding(
                    "divergence",
                    f"the training loss rose from {at.first_loss:.4g} to {at.last_loss:.4g}.",
                    "Lower --lr.",
                )
            )
    fatal = {"collapse", "divergence", *(["mode collapse"] if learner.game else [])}
    failed = fatal & {f["name"] for f in findings}
    verdict = "failed" if failed else "warning" if findings else "healthy"
    return {"verdict": verdict, "findings": findings, **figures}


def embedding_figures(pooled: Tensor) -> dict[str, Any]:
    """Dead units, mean deviation, and RankMe's effective rank (arXiv:2210.02885) of `[B, D]`."""
    deviation = pooled.float().std(dim=0)
    return {
        "embedding_width": pooled.shape[1],
        "embedding_deviation": float(deviation.mean()),
        "dead_units": int((deviation < CONSTANT).sum()),
        "effective_rank": effective_rank(pooled),
    }


def effective_rank(pooled: Tensor) -> float:
    """exp of the entropy of the normalised singular values of `[B, D]` (RankMe, eq. 1)."""
    singular = torch.linalg.svdvals(pooled.double())
    total = singular.sum()
    if total == 0:
        return 0.0
    p = singular / total + 1e-7
    return float(torch.exp(-(p * p.log()).sum()))


def _reconstruction(
    learner: Learner, probe: Batch, figures: dict[str, Any]
) -> list[dict[str, str]]:
    trivial = learner.trivial_loss(probe)
    if trivial is None:
        return []
    figures["trivial_loss"] = trivial
    loss = float(learner.score(probe)["reconstruction"])
    figures["reconstruction_loss"] = loss
    if loss < TRIVIAL * trivial:
        return []
    return [
        _finding(
            "collapse",
            f"the network answers the average sample whatever it is shown: its reconstruction"
            f" loss of {loss:.4f} is no better than the {trivial:.4f} of always giving the mean"
            " (the variance of the data).",
            "Leave the code linear and bound the output by a sigmoid (--preset article-mended),"
            " widen the code, or train longer.",
        )
    ]


def _made(learner: Learner, probe: Batch, figures: dict[str, Any]) -> list[dict[str, str]]:
    """Judge new samples by their law (as 8×8 pixels) and by how much they differ."""
    made = learner.sample(len(probe))
    if made is None or len(probe) < 2:
        return []
    real = probe.x
    figures["frechet_distance"] = float(frechet_distance(reduced(made), reduced(real)))
    figures["diversity"] = float(diversity(made)) / max(float(diversity(real)), 1e-9)
    if figures["diversity"] >= ALIKE:
        return []
    return [
        _finding(
            "mode collapse",
            "the samples it makes are nearly all the same: they differ by"
            f" {figures['diversity']:.0%} of what real ones differ by.",
            "Raise --set objective.penalty, lower --set objective.generator_rate (of a game) or"
            " --set objective.beta (of a variational autoencoder), or train longer.",
        )
    ]


def note_overfitting(examined: dict[str, Any], train_loss: float, validation_loss: float) -> None:
    """Add a finding to `examine`'s when validation is much worse than training."""
    if validation_loss <= 1.5 * train_loss + 0.05:
        return
    examined["findings"].append(
        _finding(
            "overfitting",
            f"the loss is {validation_loss:.4g} on validation and {train_loss:.4g} in training.",
            "Use more labels, stronger augmentation, --mode frozen, or --patience 3.",
        )
    )
    if examined["verdict"] == "healthy":
        examined["verdict"] = "warning"


def _finding(name: str, message: str, advice: str) -> dict[str, str]:
    return {"name": name, "message": message, "advice": advice}
