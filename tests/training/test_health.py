"""Runs made to go wrong, each in its own way, and healthy ones: who speaks, who is silent."""

import math

import pytest
import torch

from headstart.errors import UserError
from headstart.parts.learner import Learner
from headstart.runs import state
from headstart.runs.folder import RunFolder
from headstart.training.health import BAD_BATCH, Health
from headstart.training.watching import Validation
from headstart.types import Batch, Step
from samples import backbone, digits, engine, image, objective, supervised


def watched(learner, steps=120, **settings):
    """Train it; returns the health watcher, what it said and its verdict."""
    said = []
    health = Health(said.append)
    made = engine(learner, steps, watchers=[health], **settings)
    made.fit()
    return health, said, health.verdict(made)


def small(net="conv", **settings):
    return backbone(net, widths=[8, 16], **settings)


def names(verdict):
    return [finding["name"] for finding in verdict["findings"]]


@pytest.mark.parametrize("make", [objective, supervised])
@pytest.mark.parametrize("net", ["mlp", "conv"])
def test_healthy_runs_hear_nothing(make, net):
    learner = make(encoder=small() if net == "conv" else backbone("mlp"))
    _, said, verdict = watched(learner, 60 if net == "conv" else 120, lr=5e-3)
    assert said == []
    assert verdict["verdict"] == "healthy"
    assert verdict["effective_rank"] > 2


def test_divergence_is_said_once_while_it_happens():
    learner = objective(encoder=backbone("mlp"))
    _, said, verdict = watched(
        learner, optimizer="sgd", lr=2.0, clip=None, warmup=0.5, schedule="constant"
    )
    assert "divergence" in names(verdict)
    assert verdict["verdict"] == "failed"
    assert sum(sentence.startswith("divergence") for sentence in said) == 1


def test_an_exploding_gradient_is_said():
    class Steep(type(objective())):
        def forward(self, batch, *, player, progress):
            step = super().forward(batch, player=player, progress=progress)
            return Step(step.loss * (1e5 if progress > 0.8 else 1.0), step.weight, step.logs)

    learner = objective()
    learner.__class__ = Steep
    _, said, _ = watched(learner, 60)
    assert any(sentence.startswith("gradient explosion") for sentence in said)


def test_answering_the_mean_is_a_collapse():
    learner = objective(encoder=backbone("mlp", widths=[16, 2]))
    torch.nn.init.zeros_(learner.encoder.layers()[-1][0].weight)
    learner.encoder.requires_grad_(False)
    _, said, verdict = watched(learner)
    assert "collapse" in names(verdict)
    assert verdict["verdict"] == "failed"
    assert len(said) == len(set(names(verdict)))


def test_no_learning_is_a_plateau():
    _, said, verdict = watched(supervised(), optimizer="sgd", lr=1e-9)
    assert names(verdict) == ["plateau"]
    assert "--lr" in said[0]


def test_dead_units_are_said_with_their_layer():
    encoder = small(activation="relu")
    with torch.no_grad():
        encoder.stem[1].bias[:5] = -100.0
    _, said, verdict = watched(objective(encoder=encoder), 30)
    assert "dead units" in names(verdict)
    assert "5 of 8 units of layer stem.2" in said[0]


class Twins(Learner):
    """Brings two views together and keeps nothing apart: the collapse every paper warns of."""

    views = 2

    def __init__(self, encoder, repel):
        super().__init__()
        self.encoder = encoder
        self.repel = repel

    def forward(self, batch, *, player, progress):
        a, b = self.encoder(batch).pooled.chunk(2)
        loss = (a - b).square().mean()
        if self.repel:
            loss = loss + torch.relu(1 - a.std(dim=0)).mean()
        return Step(loss, len(batch))


@pytest.mark.parametrize("repel", [True, False])
def test_embeddings_that_fall_together_are_a_collapse(repel):
    encoder = backbone("mlp", widths=[32, 16], activation="tanh")
    torch.nn.init.ones_(encoder.layers()[-1][0].bias)  # where they can fall together
    _, _, verdict = watched(Twins(encoder, repel), 200, lr=3e-2, weight_decay=0.5)
    assert ("collapse" in names(verdict)) != repel


def test_overfitting_names_the_epoch_and_keeps_the_best_weights(tmp_path):
    x, y = digits()
    learner = supervised(encoder=backbone("mlp", widths=[128, 64]), augment=False, pretrained=False)
    held = Batch(image().prepare(x[256:]), y[256:].roll(1))  # labels that nothing can learn

    def judge():
        return {k: float(v) for k, v in learner.score(held).items()}

    health = Health(lambda _: None)
    made = engine(
        learner, 160, count=32, validation=Validation(judge, "loss", "min"), watchers=[health]
    )
    made.fit()
    found = health.verdict(made)
    assert names(found) == ["overfitting"]
    assert "epoch" in found["findings"][0]["message"]
    assert judge()["loss"] == pytest.approx(made.at.best["loss"])


def test_the_batch_that_was_not_a_number_is_kept_and_named(tmp_path):
    class Poisoned(type(objective())):
        def forward(self, batch, *, player, progress):
            step = super().forward(batch, player=player, progress=progress)
            return (
                Step(step.loss * math.nan, step.weight)
                if self.training and progress >= 0.5
                else step
            )

    learner = objective()
    learner.__class__ = Poisoned
    said = []
    health = Health(said.append)
    with RunFolder.create(tmp_path / "r", resume=False, overwrite=False) as folder:
        made = engine(learner, 60, folder=folder, watchers=[health])
        with pytest.raises(UserError, match="not a number"):
            made.fit()
    kept = state.load(tmp_path / "r" / BAD_BATCH)
    assert kept["step"] == 30
    assert BAD_BATCH in said[0]
    # It is the batch itself: drawn anew from (seed, step), it is the same to the bit.
    made._seed(30)
    again = made.batch(*made.data.at(30 * 32, 32))
    assert torch.equal(kept["x"], again.x)
    assert torch.equal(kept["samples"], made.data.order.take(30 * 32, 32))


def test_what_was_said_is_not_said_again_after_a_resume():
    health, said, _ = watched(supervised(), optimizer="sgd", lr=1e-9)
    later = Health(said.append)
    later.load_state_dict(health.state_dict())
    made = engine(supervised(), 60, optimizer="sgd", lr=1e-9, watchers=[later])
    made.fit()
    assert names(later.verdict(made)) == ["plateau"]
    assert len(said) == 1


def test_looking_changes_no_weight():
    results = []
    for watchers in ([], [Health(lambda _: None)]):
        learner = supervised(encoder=small())
        engine(learner, 12, watchers=watchers).fit()
        results.append(learner.state_dict())
    assert all(torch.equal(results[0][k], results[1][k]) for k in results[0])


def test_what_was_over_by_the_end_fails_no_run():
    """A plateau in the middle, and learning after it."""

    class Late(type(supervised())):
        def forward(self, batch, *, player, progress):
            step = super().forward(batch, player=player, progress=progress)
            loss = step.loss.detach()
            return Step(loss + (step.loss - loss) * (progress > 0.75), step.weight)

    learner = supervised(encoder=backbone("mlp", widths=[16]))
    learner.__class__ = Late
    _, said, verdict = watched(learner, 400, lr=3e-3)
    assert said[0].startswith("plateau")
    assert "was over" in verdict["findings"][0]["message"]
    assert verdict["verdict"] == "healthy"
