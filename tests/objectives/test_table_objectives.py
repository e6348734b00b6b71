"""Objectives on columns of numbers and categories: every one of a table, and their mathematics."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from headstart import backbones, objectives
from headstart.errors import UserError
from headstart.modalities.augment.swap import corrupted, swapped
from headstart.objectives.binning import Binning, BinningConfig
from headstart.objectives.scarf import SCARF, SCARFConfig, info_nce
from headstart.parts.columns import as_samples, blind_loss, column_losses
from headstart.types import Batch, Spec

EDGES = tuple(float(e) for e in np.linspace(-2.5, 2.5, 33))
SPEC = Spec("mixed", (6,), cardinalities=(4, 6), edges=(EDGES,) * 4)
SMALL = {"tabm": {"members": 2, "width": 32, "depth": 2}, "fttransformer": {"width": 16, "heads": 2, "depth": 1}}  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    """Columns that hang together: two factors behind all."""
    torch.manual_seed(0)
    factors = torch.randn(2048, 2)
    numbers = factors @ torch.randn(2, 4) / 2**0.5 + 0.1 * torch.randn(2048, 4)
    codes = torch.stack([2 + (factors[:, 0] > 0), 2 + (factors[:, 1] * 2).long().clamp(0, 3)], 1)
    return torch.cat([numbers, codes.float()], dim=1)


def built(objective, backbone):
    torch.manual_seed(0)
    cls, base = objectives.table.load(objective), backbones.table.load(backbone)
    return cls(cls.Config(), base(base.Config(**SMALL[backbone]), SPEC), SPEC)


PAIRS = [
    (name, backbone)
    for name in objectives.table
    for backbone in SMALL
    if "mixed" in objectives.table.load(name).reads
    and issubclass(backbones.table.load(backbone), objectives.table.load(name).needs)
    and (backbone == "tabm" or name in ("vime", "scarf", "binning", "denoising"))
]


@pytest.mark.parametrize(("objective", "backbone"), PAIRS)
def test_objective_learns_from_columns(objective, backbone, rows):
    learner = built(objective, backbone)
    optimiser = torch.optim.AdamW(learner.parameters(), 3e-3)
    losses = []
    for i in range(30):
        x = rows[i * 64 : i * 64 + 64]
        many = torch.cat([swapped(x, 0.3)[0] for _ in range(learner.views)])
        batch = Batch(many if learner.views > 1 else x, views=learner.views, clean=x)
        optimiser.zero_grad()
        step = learner(batch, player="all", progress=i / 30)
        step.loss.backward()
        if i == 0:
            assert [
                n for n, p in learner.named_parameters() if p.requires_grad and p.grad is None
            ] == []
        optimiser.step()
        learner.after_step(i / 30)
        losses.append(float(step.loss.detach()))
    assert np.isfinite(losses).all()
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    pair = learner.reconstruct(Batch(rows[:5]))
    if pair is not None:
        assert pair[1].shape == (5, 6)
        assert set(pair[1][:, 4].tolist()) <= {0.0, 1.0, 2.0, 3.0}


def test_every_value_of_a_swapped_row_comes_from_its_column(rows):
    torch.manual_seed(0)
    seen, chosen = swapped(rows, 0.4)
    assert float(chosen.float().mean()) == pytest.approx(0.4, abs=0.02)
    assert torch.equal(seen[~chosen], rows[~chosen])
    for j in range(rows.shape[1]):
        assert torch.isin(seen[:, j], rows[:, j]).all()


def test_a_blind_guess_of_a_category_loses_one():
    x = torch.tensor([[0.5, 1.0, 2.0, 3.0, 3.0, 5.0]])
    losses = column_losses(torch.zeros(1, 4 + 10), x, SPEC)
    np.testing.assert_allclose(losses, [[0.25, 1.0, 4.0, 9.0, 1.0, 1.0]], rtol=1e-6)


def test_the_blind_loss_is_what_the_best_constant_loses(rows):
    guess = torch.zeros(len(rows), 14)
    guess[:, :4] = rows[:, :4].mean(0)
    for at, count, column in ((4, 4, 4), (8, 6, 5)):
        share = F.one_hot(rows[:, column].long(), count).float().mean(0)
        guess[:, at : at + count] = (share + 1e-12).log()
    best = float(column_losses(guess, rows, SPEC).mean())
    assert blind_loss(rows, SPEC) == pytest.approx(best, rel=1e-4)


def test_decoded_rows_have_the_likeliest_values():
    guess = torch.zeros(1, 14)
    guess[0, :4] = torch.tensor([1.0, 2.0, 3.0, 4.0])
    guess[0, 6] = guess[0, 13] = 1.0
    assert as_samples(guess, SPEC).tolist() == [[1.0, 2.0, 3.0, 4.0, 2.0, 5.0]]


def test_bins_are_quantiles_of_the_column(rows):
    values = rows[:, :4].double().numpy()
    edges = tuple(tuple(np.quantile(values[:, i], np.linspace(0, 1, 65))) for i in range(4))
    spec = Spec("mixed", (6,), cardinalities=(4, 6), edges=edges)
    base = backbones.table.load("tabm")
    learner = Binning(BinningConfig(bins=8), base(base.Config(**SMALL["tabm"]), spec), spec)
    target = learner.target(rows)
    assert torch.equal(target[:, 4:], rows[:, 4:].long())
    for i in range(4):
        counts = torch.bincount(target[:, i], minlength=8)
        assert len(counts) == 8
        assert int(counts.min()) > 2048 / 8 - 8
    step = learner(Batch(rows[:64]), player="all", progress=0.0)
    assert float(step.loss.detach()) == pytest.approx(1.0, abs=0.15)
    assert math.isfinite(float(step.loss.detach()))


def scarf_by_the_paper(z, copies, temperature):
    """Algorithm 1 of arXiv:2106.15147, lines 7 and 8, number by number."""
    n, total = len(z), 0.0
    for i in range(n):
        s = [
            float(z[i] @ copies[j]) / (math.dist(z[i], 0 * z[i]) * math.dist(copies[j], 0 * z[i]))
            for j in range(n)
        ]
        below = sum(math.exp(s_k / temperature) for s_k in s) / n
        total -= math.log(math.exp(s[i] / temperature) / below)
    return total / n


@pytest.mark.parametrize("temperature", [1.0, 0.2])
def test_scarf_s_loss_is_the_paper_s_but_for_a_constant(temperature):
    random = np.random.default_rng(0)
    z, copies = random.normal(size=(2, 7, 5))
    ours = float(info_nce(torch.from_numpy(z), torch.from_numpy(copies), temperature))
    assert ours - math.log(7) == pytest.approx(scarf_by_the_paper(z, copies, temperature))
    other_way = info_nce(torch.from_numpy(copies), torch.from_numpy(z), temperature)
    assert float(other_way) != pytest.approx(ours, rel=1e-3)


@pytest.mark.parametrize("backbone", list(SMALL))
def test_scarf_looks_for_the_copies_of_clean_rows(backbone, rows):
    learner = built("scarf", backbone).eval()  # running statistics: rows may be encoded apart
    x = rows[:32]
    torch.manual_seed(4)
    step = learner(Batch(x), player="all", progress=0.0)
    torch.manual_seed(4)
    spoilt = corrupted(x, 3)  # of 6 columns, 60 % rounded down
    z, copies = (
        learner.projector(learner.encoder(Batch(part)).pooled).detach().double().numpy()
        for part in (x, spoilt)
    )
    expected = scarf_by_the_paper(z, copies, 1.0) + math.log(32)
    assert float(step.loss.detach()) == pytest.approx(expected, rel=1e-4)


def test_as_many_columns_of_every_row_are_corrupted_each_as_often():
    torch.manual_seed(0)
    x = torch.arange(4000.0 * 5).view(4000, 5)  # no value twice: a changed one was replaced
    seen = corrupted(x, 3)
    changed = seen != x
    itself = 1 / 4000  # of a draw, and then nothing is seen of it
    assert int(changed.sum(dim=1).max()) == 3
    assert float((changed.sum(dim=1) == 3).float().mean()) > 1 - 3 * 4 * itself
    assert changed.float().mean(dim=0).tolist() == pytest.approx([0.6] * 5, abs=0.03)
    for j in range(5):
        assert torch.isin(seen[:, j], x[:, j]).all()


@pytest.mark.parametrize(("ratio", "count"), [(0.6, 3), (0.5, 3), (0.49, 2)])
def test_scarf_s_ratio_is_rounded_down(ratio, count):
    base = backbones.table.load("tabm")
    learner = SCARF(SCARFConfig(ratio=ratio), base(base.Config(**SMALL["tabm"]), SPEC), SPEC)
    assert learner.replaced == count


@pytest.mark.parametrize("ratio", [0.1, 1.0])
def test_scarf_needs_columns_that_are_replaced_and_columns_that_stay(ratio):
    base = backbones.table.load("tabm")
    with pytest.raises(UserError, match=r"objective\.ratio.*of 6 columns"):
        SCARF(SCARFConfig(ratio=ratio), base(base.Config(**SMALL["tabm"]), SPEC), SPEC)
