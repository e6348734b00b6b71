"""Collapse of learners that compare samples, looked for where they compare them."""

from __future__ import annotations

from typing import Any

import torch

from headstart.parts.learner import Learner
from headstart.parts.views import spread
from headstart.types import Batch

COLLAPSED = 0.15  # of what directions spread when they fill the sphere


@torch.no_grad()
def examine(learner: Learner, probe: Batch, figures: dict[str, Any]) -> list[dict[str, str]]:
    """A finding when the projections of all samples point the same way.

    The features below may still differ, by what the network happened to be drawn with: a SimSiam
    without its stopped gradient ends with a spread of 0.06 and an effective rank as before. Adds
    `projection_spread` to figures.
    """
    z = learner.project(probe)
    if z is None or len(z) < 2:
        return []
    figures["projection_spread"] = float(spread(z))
    if figures["projection_spread"] >= COLLAPSED:
        return []
    return [
        {
            "name": "collapse",
            "message": "the projections of all samples are nearly the same: their directions"
            f" spread {figures['projection_spread']:.2f} of what they could, so comparing views"
            " has taught the encoder nothing.",
            "advice": "Lower --lr, use a larger --batch-size, or an objective that pushes samples"
            " apart (simclr, vicreg, barlow, lejepa).",
        }
    ]
