"""Every objective that reads texts, on every backbone that fits; and their mathematics."""

import math

import numpy as np
import pytest
import torch

from headstart import backbones, objectives
from headstart.parts import masking
from headstart.types import Batch
from headstart.workflows.generate import drawn
from texts import modality, rows, small

PAIRS = [
    (objective, backbone)
    for objective in objectives.table
    for backbone in backbones.table
    if "tokens" in backbones.table.load(backbone).reads & objectives.table.load(objective).reads
    and issubclass(backbones.table.load(backbone), objectives.table.load(objective).needs)
    and (objectives.table.load(objective).packs or objective in ("simclr", "tsdae"))
]


def batch_of(learner, x):
    if learner.views == 1:
        return Batch(x)
    return Batch(torch.cat([modality().augment(x, "strong") for _ in range(2)]), views=2)


@pytest.mark.parametrize(("objective", "backbone"), PAIRS)
def test_objective_learns_and_is_in_its_weights(objective, backbone):
    learner, x = small(objective, backbone), rows()
    parameters = learner.players()["all"]
    optimiser = torch.optim.AdamW(parameters, 3e-3)
    losses = []
    for i in range(24):
        optimiser.zero_grad()
        step = learner(batch_of(learner, x[i * 16 : i * 16 + 16]), player="all", progress=i / 24)
        assert step.weight > 0
        step.loss.backward()
        if i == 0:
            assert [p.shape for p in parameters if p.grad is None] == []
        optimiser.step()
        learner.after_step(i / 24)
        losses.append(float(step.loss.detach()))
    assert np.isfinite(losses).all()
    assert np.mean(losses[-6:]) < np.mean(losses[:6])
    twin = small(objective, backbone)
    twin.load_state_dict(learner.state_dict())
    said = []
    for one in (learner.eval(), twin.eval()):
        torch.manual_seed(1)
        with torch.no_grad():
            said.append(one.score(batch_of(one, x[:6])))
    assert all(torch.equal(said[0][name], said[1][name]) for name in said[0])


@pytest.mark.parametrize("hide", ["token", "word", "span"])
def test_about_the_share_asked_for_is_hidden_and_nothing_special(hide):
    x, v = rows(), modality().vocabulary
    learner = small("mlm", "ngram", unit=hide, ratio=0.3)
    torch.manual_seed(0)
    chosen = learner.hide(x)
    text = ~torch.isin(x, torch.tensor(v.special))
    assert not (chosen & ~text).any()
    assert float(chosen.sum() / text.sum()) == pytest.approx(0.3, abs=0.04)


def test_whole_words_are_hidden_whole():
    x, v = rows(), modality().vocabulary
    inside = torch.tensor(v.inside)[x]
    assert inside.any()
    torch.manual_seed(0)
    chosen = masking.hidden_words(x, 0.3, v)
    begun = torch.zeros(len(x), dtype=torch.long)
    for t in range(1, x.shape[1]):
        begun = torch.where(inside[:, t], begun, torch.full_like(begun, t))
        same_word = inside[:, t] & ((t - begun) % masking.MOST_PIECES != 0)
        assert (chosen[same_word, t] == chosen[same_word, t - 1]).all()


def test_words_of_a_script_without_spaces_are_not_hidden_by_the_row():
    """Where every piece seems to go on the one before, at most four are hidden together."""
    v = modality().vocabulary
    piece = v.inside.index(True)
    x = torch.full((200, 32), piece)
    torch.manual_seed(0)
    chosen = masking.hidden_words(x, 0.3, v)
    shares = chosen.float().mean(dim=1)
    assert float(shares.mean()) == pytest.approx(0.3, abs=0.05)
    assert float(((shares == 0) | (shares == 1)).float().mean()) < 0.2


def test_an_untrained_guess_costs_the_logarithm_of_the_vocabulary():
    learner = small("mlm", "transformer").eval()
    loss = learner.score(Batch(rows()[:64]))["loss"]
    assert float(loss) == pytest.approx(math.log(modality().vocabulary.size), rel=0.05)


def test_causal_logits_do_not_see_what_comes_after():
    learner = small("causal", "causal").eval()
    x = rows()[:4, :16].clone()
    with torch.no_grad():
        before = learner.encoder.read(x, torch.ones_like(x, dtype=torch.bool))
        x[:, 10:] = 7
        after = learner.encoder.read(x, torch.ones_like(x, dtype=torch.bool))
    torch.testing.assert_close(before[:, :10], after[:, :10])
    assert not torch.allclose(before[:, 10:], after[:, 10:])


def test_tokens_are_drawn_from_the_fewest_that_hold_the_probability():
    share = torch.tensor([[0.5, 0.3, 0.15, 0.05]])
    generator = torch.Generator().manual_seed(0)
    made = drawn(share.log().repeat(4_000, 1), 1.0, 0.8, generator)
    counts = torch.bincount(made, minlength=4) / len(made)
    torch.testing.assert_close(counts, torch.tensor([0.625, 0.375, 0.0, 0.0]), atol=0.03, rtol=0)
    assert int(drawn(share.log(), 0.0, 1.0, generator)) == 0
