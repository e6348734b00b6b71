import torch

import samples
from headstart.objectives.simsiam import SimSiam, distance
from headstart.parts.projectors import projector
from headstart.parts.views import split
from headstart.training import health
from headstart.types import Step


class Plain(SimSiam):
    """With a last layer that is free to collapse: not normalised."""

    def __init__(self, config, encoder, spec):
        super().__init__(config, encoder, spec)
        self.projector = projector(encoder.dim, (256, 256))


class Unstopped(Plain):
    """The ablation of section 4.1: the gradient goes through both sides."""

    def forward(self, batch, *, player, progress):
        z = self.project(batch)
        z1, z2 = split(z, batch)
        p1, p2 = split(self.predictor(z), batch)
        return Step.sum(len(batch), prediction=(distance(p1, z2) + distance(p2, z1)) / 2)


def examined(cls):
    torch.manual_seed(0)
    learner = cls(SimSiam.Config(), samples.backbone("mlp"), samples.image().spec)
    engine = samples.engine(learner, 100, batch_size=64, lr=3e-3)
    at = engine.fit()
    return health.examine(learner, engine.plain(samples.digits()[0]), at), at.last_loss


def test_simsiam_without_its_stopped_gradient_collapses_and_is_reported():
    found, loss = examined(Unstopped)
    assert loss < -0.98  # it says the same of everything, and so of two views
    assert found["verdict"] == "failed"
    assert [f["name"] for f in found["findings"]] == ["collapse"]
    assert found["projection_spread"] < 0.15
    assert found["dead_units"] == 0  # the features do not show it


def test_simsiam_with_it_does_not():
    found, _ = examined(Plain)
    assert found["verdict"] == "healthy"
    assert found["projection_spread"] > 0.3
