import pytest
import torch
import torch.nn.functional as F

from headstart.backbones.windows import lengths
from headstart.errors import UserError
from headstart.tasks import mixing
from headstart.types import Spec
from samples import batch, supervised


def test_mixup_is_a_blend_in_the_share_that_the_loss_uses():
    torch.manual_seed(0)
    x = torch.randn(8, 3)
    mixed = mixing.mix(x, 0.4, 0.0)
    torch.testing.assert_close(
        mixed.batch.x, mixed.share * x + (1 - mixed.share) * x[mixed.partner]
    )
    # Cross-entropy against the blended label is the blend of the cross-entropies.
    logits, y = torch.randn(8, 5), torch.arange(8) % 5
    labels = F.one_hot(y, 5).float()
    blended = mixed.share * labels + (1 - mixed.share) * labels[mixed.partner]
    one, other = F.cross_entropy(logits, y), F.cross_entropy(logits, y[mixed.partner])
    torch.testing.assert_close(mixed.loss(one, other), F.cross_entropy(logits, blended))


def test_what_is_empty_in_both_stays_exactly_empty():
    """Lengths are read off it: a rounding would make every recording as long as the batch."""
    spec = Spec("continuous", (1, 8, 96), empty=-5.5031404495)
    ends = torch.tensor([31, 21, 35, 32, 24])
    there = torch.arange(96) < ends[:, None]
    x = torch.where(there[:, None, None], torch.randn(5, 1, 8, 96), torch.tensor(spec.empty))
    for seed in range(100):
        torch.manual_seed(seed)
        mixed = mixing.mix(x, 0.4, 0.0)
        wanted = torch.maximum(ends, ends[mixed.partner])
        assert torch.equal(lengths(mixed.batch.x, spec), wanted)


def test_shares_follow_the_beta_law():
    """Its variance is 1 / (4 (2α + 1))."""
    torch.manual_seed(0)
    drawn = torch.stack([mixing.mix(torch.zeros(2, 1), 0.5, 0.0).share for _ in range(2_000)])
    assert float(drawn.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(drawn.var()) == pytest.approx(1 / 8, abs=0.01)


def test_cutmix_puts_one_box_of_the_partner_in_and_counts_its_pixels():
    x = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 2, 10, 12)
    partner = torch.tensor([1, 2, 3, 0])
    mixed = mixing.cut_in(x, partner, torch.tensor(0.75), torch.tensor([0.5, 0.5]))
    foreign = mixed.batch.x[0, 0] == 1
    assert foreign.sum() == 5 * 6
    assert foreign[3:7, 3:9].all()
    assert float(mixed.share) == pytest.approx(1 - 30 / 120)
    at_the_corner = mixing.cut_in(x, partner, torch.tensor(0.75), torch.tensor([0.0, 0.0]))
    assert float(at_the_corner.share) == pytest.approx(1 - 2 * 3 / 120)


def test_both_are_drawn_in_turn():
    torch.manual_seed(0)
    x = torch.arange(64.0).view(64, 1, 1, 1).expand(64, 1, 4, 4)
    whole = [bool(torch.equal(m.batch.x.frac(), torch.zeros_like(m.batch.x)))
             for m in (mixing.mix(x, 1.0, 1.0) for _ in range(40))]  # fmt: skip
    assert 8 < sum(whole) < 32


@pytest.mark.parametrize("settings", [{"mixup": 0.3}, {"cutmix": 1.0}])
def test_training_mixes_and_judging_does_not(settings):
    plain, mixing_one = supervised(), supervised(**settings)
    data = batch(16)
    for model in (plain, mixing_one):
        torch.manual_seed(1)
        torch.nn.init.normal_(model.task.head[-1].weight)
    torch.manual_seed(0)
    losses = [m.train()(data, player="all", progress=1.0).loss for m in (plain, mixing_one)]
    assert not torch.isclose(*losses)
    for m in (plain, mixing_one):
        m.task.head[0].reset_running_stats()
        m.eval()
    torch.testing.assert_close(plain.score(data)["loss"], mixing_one.score(data)["loss"])


def test_numbers_mixed_have_the_gradient_of_the_number_in_between():
    torch.manual_seed(0)
    mixed = mixing.mix(torch.randn(8, 3), 0.4, 0.0)
    answer, y = torch.randn(8, requires_grad=True), torch.randn(8)
    partner = y[mixed.partner]
    loss = mixed.loss(F.mse_loss(answer, y), F.mse_loss(answer, partner))
    between = F.mse_loss(answer, mixed.share * y + (1 - mixed.share) * partner)
    slopes = [torch.autograd.grad(value, answer)[0] for value in (loss, between)]
    torch.testing.assert_close(*slopes)


ROWS, PICTURES, TOKENS = (
    Spec("continuous", (3,)),
    Spec("continuous", (1, 8, 8)),
    Spec("tokens", (8,)),
)


def test_numbers_and_pictures_may_be_mixed():
    mixing.check(0.2, 0.0, ROWS, framewise=False)
    mixing.check(0.2, 1.0, PICTURES, framewise=False)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"mixup": 0, "cutmix": 1, "spec": ROWS, "framewise": False}, "pictures"),
        ({"mixup": 0.1, "cutmix": 0, "spec": TOKENS, "framewise": False}, "'tokens'"),
        ({"mixup": 0, "cutmix": 1, "spec": PICTURES, "framewise": True}, "their parts"),
    ],
)
def test_what_cannot_be_mixed_is_refused(how, message):
    with pytest.raises(UserError, match=message):
        mixing.check(**how)
