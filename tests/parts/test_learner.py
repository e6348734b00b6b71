"""Scores of several batches are the means over their samples, whatever the batches' sizes."""

import pytest
import torch
from torch import nn

from headstart.parts.learner import Learner, mean_scores
from headstart.types import Batch, Step


class Sizes(Learner):
    """Its loss is the mean of its samples."""

    def __init__(self):
        nn.Module.__init__(self)
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, batch, *, player, progress):
        values = batch.x.unflatten(0, (batch.views, -1)).mean(0)
        return Step.sum(len(batch), size=self.weight * values.mean())


@pytest.mark.parametrize("views", [1, 2])
def test_mean_scores_are_those_of_all_samples(views):
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    parts = [Batch(part.repeat(views, 1), views=views) for part in x.split([9, 9, 2])]
    figures, count = mean_scores(Sizes(), iter(parts))
    assert count == 20
    assert figures == pytest.approx({"loss": float(x.mean()), "size": float(x.mean())})
