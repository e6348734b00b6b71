"""The game: who moves when, what it is judged by, and that it neither collapses nor diverges."""

import pytest
import torch

from headstart.objectives.gan import frozen, pairing_loss, steepness
from headstart.parts.distributions import diversity, frechet_distance, reduced
from headstart.runs.folder import RunFolder
from headstart.training.health import Health
from headstart.types import Batch
from samples import backbone, batch, digits, engine, identical, image, objective, weights


def game(encoder="mlp", **settings):
    return objective(
        "gan", backbone(encoder, image().spec), width=8, code=8, penalty=0.1, **settings
    )


@pytest.mark.parametrize("start_from", ["encoder", "discriminator"])
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_a_players_loss_leaves_gradients_on_its_own_parameters_only(player, start_from):
    learner = game("conv", start_from=start_from)
    learner(batch(16), player=player, progress=0.0).loss.backward()
    for name, parameters in learner.players().items():
        assert {p.grad is None for p in parameters} == {name != player}
    assert all(p.requires_grad for side in learner.players().values() for p in side)


@pytest.mark.parametrize("start_from", ["encoder", "discriminator"])
def test_every_parameter_is_one_players_but_those_of_the_average(start_from):
    learner = game("conv", start_from=start_from)
    theirs = [id(p) for side in learner.players().values() for p in side]
    assert len(theirs) == len(set(theirs))
    own = {id(p) for p in learner.parameters()} - {id(p) for p in learner.average.parameters()}
    assert set(theirs) == own
    of_backbone = {id(p) for p in learner.encoder.parameters()}
    player = "generator" if start_from == "encoder" else "discriminator"
    assert of_backbone <= {id(p) for p in learner.players()[player]}


def test_codes_of_moved_samples_go_with_samples_as_they_were():
    """The discriminator never sees a moved sample, and the generator is held to the unmoved one."""
    learner, data = game().eval(), batch(8)
    moved = Batch(data.x.roll(1, dims=-1), clean=data.x)
    drawn = torch.randn(8, 8)
    x, codes = learner._pairs(moved, drawn)
    assert torch.equal(x[:8], data.x)
    torch.testing.assert_close(codes[:8], learner._code(moved.x))
    step = learner(moved, player="generator", progress=0.0)
    again = learner.generator(codes[:8])
    torch.testing.assert_close(step.logs["likeness"], (again - data.x).square().mean())
    assert "likeness" not in game(reconstruction=0.0)(moved, player="generator", progress=0.0).logs


def test_freezing_passes_gradients_through():
    layer = torch.nn.Linear(3, 2)
    x = torch.rand(4, 3, requires_grad=True)
    with frozen(layer.parameters()):
        y = layer(x).sum()
    y.backward()
    assert x.grad is not None
    assert layer.weight.grad is None
    assert layer.weight.requires_grad


def test_players_want_opposite_things():
    real, made = torch.randn(6, 3), torch.randn(6, 3)
    one = pairing_loss(real, made)
    torch.testing.assert_close(one, -torch.sigmoid(real - made).log().sum(1).mean())
    assert pairing_loss(real + 1, made) < one < pairing_loss(real, made + 1)


def test_steepness_is_half_the_squared_norm_of_the_gradient():
    """Against autograd, on a network that is not linear; the mean over many random steps."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    network.double().requires_grad_(False)
    x = torch.randn(1, 5, dtype=torch.double, requires_grad=True)
    (slope,) = torch.autograd.grad(network(x).sum(), x)
    many = x.detach().expand(40_000, 5)
    estimate = steepness(network(many), network(many + 1e-3 * torch.randn_like(many)), 1e-3)
    assert float(estimate) == pytest.approx(float(0.5 * slope.square().sum()), rel=0.03)


def test_average_follows_the_generator_and_is_in_the_state():
    learner = game(average=0.9)
    names = [n for n in learner.state_dict() if n.startswith("average.")]
    assert names
    before = {n: p.detach().clone() for n, p in learner.average.named_parameters()}
    for p in learner.generator.parameters():
        p.data += 1.0
    learner.after_step(0.0)  # the first step: keeps 2/11 of what was
    for n, p in learner.average.named_parameters():
        torch.testing.assert_close(p, before[n] + 1 - 2 / 11)
    for _ in range(200):
        learner.after_step(0.0)
    for mine, new in zip(learner.average.parameters(), learner.generator.parameters(), strict=True):
        torch.testing.assert_close(mine, new, atol=1e-5, rtol=1e-5)


def test_interrupted_game_resumes_bit_identically(tmp_path):
    whole = game()
    engine(whole, 12).fit()
    with RunFolder.create(tmp_path / "r", resume=False, overwrite=False) as folder:
        engine(game(), 12, folder=folder, checkpoint_every="6 steps").fit()
        for path in folder.checkpoints.glob("step-*12*"):
            path.unlink() if path.is_file() else [f.unlink() for f in path.iterdir()]
        again = game()
        engine(again, 12, folder=folder).fit(resume=True)
    assert identical(weights(whole), weights(again))


def trained(steps=250):
    """One game on real digits: its learner, what it made before and after, and how it went."""
    learner = game()
    real = Batch(image().prepare(digits()[0]))
    torch.manual_seed(0)
    before = frechet_distance(reduced(learner.eval().sample(500)), reduced(real.x))
    health = Health(lambda _: None)
    run = engine(
        learner, steps, batch_size=32, lr=2e-3, optimizer_options={"betas": (0.5, 0.99)},
        watchers=[health],
    )  # fmt: skip
    run.fit()
    return learner, before, real, health.verdict(run)


@pytest.fixture(scope="module")
def after_training():
    torch.set_num_threads(1)
    return trained()


@torch.no_grad()
def test_made_digits_come_near_real_ones_and_differ_among_themselves(after_training):
    learner, before, real, _ = after_training
    torch.manual_seed(0)
    made = learner.sample(500)
    assert made.shape == (500, 1, 8, 8)
    assert frechet_distance(reduced(made), reduced(real.x)) < 0.3 * before
    assert diversity(made) > 0.7 * diversity(real.x)


@torch.no_grad()
def test_codes_of_samples_follow_the_law_of_drawn_ones(after_training):
    learner, _, real, _ = after_training
    codes = learner._code(real.x)
    assert float(codes.mean(0).abs().max()) < 0.5
    assert 0.7 < float(codes.std(0).mean()) < 1.4


def test_a_game_is_not_said_to_diverge_and_has_its_figures(after_training):
    judged = after_training[3]
    assert "divergence" not in {f["name"] for f in judged["findings"]}
    assert judged["frechet_distance"] > 0
    assert 0.5 < judged["diversity"] < 1.5


def test_a_generator_that_makes_one_sample_only_is_found_out():
    learner = game("mlp")
    learner.sample = lambda count: torch.zeros(count, 1, 8, 8)
    health = Health(lambda _: None)
    run = engine(learner, 2, watchers=[health])
    run.fit()
    judged = health.verdict(run)
    assert judged["verdict"] == "failed"
    assert "mode collapse" in {f["name"] for f in judged["findings"]}
