"""Cut batches give the gradient of whole ones; averages are judged and leave no trace."""

import os
import signal

import pytest
import torch

from headstart.errors import InterruptedRunError, UserError
from headstart.parts.learner import Learner
from headstart.runs.folder import RunFolder
from headstart.training.gradients import Gradient, cut
from headstart.training.watching import Validation, Watcher
from headstart.types import Batch, Step
from samples import backbone, batch, engine, identical, objective, supervised, weights


def trained(parts, make, steps=6):
    torch.manual_seed(0)
    learner = make()
    engine(learner, steps, accumulate=parts, lr=1e-2).fit()
    return weights(learner)


class Weighed(Learner):
    """A loss that is a mean over a part of the samples, as a masked one is."""

    def __init__(self):
        super().__init__()
        self.encoder = backbone("mlp", widths=[8])

    def forward(self, batch, *, player, progress):
        chosen = batch.y < 5
        losses = self.encoder(batch).pooled.square().mean(dim=1)
        return Step((losses * chosen).sum() / chosen.sum().clamp_min(1), int(chosen.sum()))


@pytest.mark.parametrize("parts", [2, 3, 5])
@pytest.mark.parametrize("make", [objective, Weighed])
def test_parts_equal_the_whole_batch(parts, make):
    whole, cut_up = trained(1, make), trained(parts, make)
    for name, value in whole.items():
        torch.testing.assert_close(cut_up[name], value, rtol=1e-3, atol=1e-5)
    assert not identical(whole, trained(1, make, steps=5))


def test_a_cut_keeps_the_views_of_a_sample_together():
    x = torch.arange(12.0).view(12, 1)  # two views of six samples
    frames = torch.eye(6).bool()
    made = cut(Batch(x, torch.arange(6), views=2, clean=x[:6], frames=frames), 3)
    assert [part.x.flatten().tolist() for part in made] == [
        [0, 1, 6, 7],
        [2, 3, 8, 9],
        [4, 5, 10, 11],
    ]
    assert [part.y.tolist() for part in made] == [[0, 1], [2, 3], [4, 5]]
    assert [len(part.clean) for part in made] == [2, 2, 2]
    assert torch.equal(torch.cat([part.frames for part in made]), frames)


def test_the_mean_is_over_weights_not_over_parts():
    w = torch.nn.Parameter(torch.tensor(1.0))
    gradient = Gradient([w], 10, 2)
    gradient.add(Step(2 * w, 3))
    gradient.add(Step(6 * w, 1))
    assert float(gradient.finish()) == pytest.approx((2 * 3 + 6) / 4)
    assert float(w.grad) == pytest.approx(3.0)


class Pairs(Weighed):
    views = 2


class Neighbours(Weighed):
    compares = True


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (Pairs, {"accumulate": 2}, "compares"),
        (Neighbours, {"accumulate": 2}, "compares"),
        (Weighed, {"accumulate": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_cut_is_refused(make, settings, message):
    with pytest.raises(UserError, match=message):
        engine(make(), **settings)


def judged(seen, learner):
    def run():
        seen.append(weights(learner))
        return {"loss": float(learner.score(batch())["loss"])}

    return Validation(run, "loss", "min")


def test_a_moving_average_is_judged_kept_and_never_trained_on():
    """Against the recursion, followed beside a run that keeps no average."""
    plain, averaged, seen = objective(), objective(), []
    expected = {k: v.clone() for k, v in plain.state_dict().items()}

    class Follow(type(plain)):
        count = 0

        def after_step(self, progress):
            keep = min(0.9, (1 + self.count) / (10 + self.count))
            for name, value in self.state_dict().items():
                expected[name] = keep * expected[name] + (1 - keep) * value
            type(self).count += 1

    plain.__class__ = Follow
    engine(plain, 20).fit()
    made = engine(averaged, 20, ema=0.9, validate_every="20 steps")
    made.validation = judged(seen, averaged)
    made.fit()
    for name, value in expected.items():
        torch.testing.assert_close(seen[-1][name], value)
    assert identical(seen[-1], weights(averaged))


def schedule_free(every=None, validate=True, **settings):
    pytest.importorskip("pytorch_optimizer")
    learner = supervised(encoder=backbone("conv", widths=[8, 16]))
    made = engine(learner, 20, optimizer="schedule-free-adamw", validate_every=every, **settings)
    if validate:
        made.validation = judged([], learner)
    return made


def test_judging_an_average_leaves_the_training_as_it_was():
    runs = [schedule_free("3 steps"), schedule_free("20 steps")]
    for made in runs:
        made.fit()
    states = [list(made.optimisers["all"].state.values()) for made in runs]
    for one, other in zip(*states, strict=True):
        assert torch.equal(one["z"], other["z"])


def test_what_schedule_free_keeps_is_the_average_with_statistics_of_its_own():
    made = schedule_free(validate=False)
    made.fit()
    optimiser, norm = made.optimisers["all"], made.learner.task.head[0]
    kept = weights(made.learner)
    assert not any(group["train_mode"] for group in optimiser.param_groups)
    made.learner.train()
    sums = []
    norm.register_forward_hook(lambda m, inputs, out: sums.append(inputs[0].mean(dim=0)))
    with torch.no_grad():
        for part, progress in made._first_batches(20):
            made.learner(part, player="all", progress=progress)
    torch.testing.assert_close(kept["task.head.0.running_mean"], torch.stack(sums).mean(dim=0))
    optimiser.train()
    assert not identical(kept, weights(made.learner))


class Stop(Watcher):
    """Sends this process a signal half way."""

    def on_log(self, record):
        if record["step"] == 10 and "train" in record:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("validate", [True, False])
def test_schedule_free_resumes_to_the_bit(tmp_path, validate):
    whole = schedule_free("5 steps", validate)
    whole.fit()
    with RunFolder.create(tmp_path / "r", resume=False, overwrite=False) as folder:
        first = schedule_free("5 steps", validate, folder=folder, watchers=[Stop()])
        with pytest.raises(InterruptedRunError):
            first.fit()
        again = schedule_free("5 steps", validate, folder=folder)
        torch.rand(7)  # the random state on the way is nothing that a run may depend on
        again.fit(resume=True)
    assert identical(weights(whole.learner), weights(again.learner))


def test_two_averages_are_one_too_many():
    with pytest.raises(UserError, match="averages weights itself"):
        schedule_free(ema=0.9)
