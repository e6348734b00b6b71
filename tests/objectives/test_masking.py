"""What is hidden, what the losses see, and what comes back: masked, inpainting, sparse."""

import pytest
import torch

import headstart as hs
from headstart.backbones.patched import patchify
from headstart.errors import UserError
from headstart.objectives.inpainting import holes, loss_in_holes
from headstart.objectives.masked import hidden_loss, in_place
from headstart.objectives.sparse import largest
from headstart.types import Batch
from samples import backbone, batch, image, objective


def learner(name, encoder="conv", **settings):
    return objective(name, backbone(encoder, image().spec), **settings)


def test_masked_loss_is_of_hidden_patches_only():
    target = torch.rand(3, 16, 4, requires_grad=True)
    guess = torch.rand(3, 16, 4, requires_grad=True)
    order = torch.rand(3, 16).argsort(dim=1)
    loss = hidden_loss(guess, target, order, visible=4)
    loss.backward()
    for b in range(3):
        touched = target.grad[b].abs().sum(1) > 0
        assert sorted(order[b, 4:].tolist()) == touched.nonzero()[:, 0].tolist()
    by_hand = sum(((guess[b, i] - target[b, i]) ** 2).sum() for b in range(3) for i in order[b, 4:])
    torch.testing.assert_close(loss, by_hand / (3 * 12 * 4))


def test_tokens_return_to_their_places():
    order = torch.tensor([[2, 0, 3, 1]])
    tokens = torch.tensor([[[20.0], [10.0]]])  # of patches 2 and 0
    back = in_place(tokens, torch.tensor([[[-1.0]]]), order)
    assert back[0, :, 0].tolist() == [10.0, -1.0, 20.0, -1.0]


@pytest.mark.parametrize(("ratio", "hidden"), [(0.75, 12), (0.5, 8), (0.001, 1), (0.999, 15)])
def test_masked_hides_exactly_its_share_and_keeps_the_rest(ratio, hidden):
    network = learner("masked", "vit", ratio=ratio).eval()
    x = batch(5).x
    torch.manual_seed(0)
    seen, back = network.reconstruct(Batch(x))
    differ = (patchify(back, 2) != patchify(x, 2)).any(dim=2)  # [B, N]
    assert differ.sum(1).tolist() == [hidden] * 5
    assert torch.equal(patchify(seen, 2)[~differ], patchify(x, 2)[~differ])


def test_masked_encoder_never_meets_what_it_must_guess():
    """Change only what is hidden: the guess is the same, to the bit."""
    network = learner("masked", "vit").eval()
    x = batch(2).x
    order = torch.rand(2, 16).argsort(dim=1)
    other = x.clone()
    for b in range(2):
        for i in order[b, 4:].tolist():
            row, column = 2 * (i // 4), 2 * (i % 4)
            other[b, :, row : row + 2, column : column + 2] += 1.0
    assert torch.equal(network._guess(Batch(x), order), network._guess(Batch(other), order))


def test_normalised_targets_have_mean_0_and_deviation_1_in_each_patch():
    network = learner("masked", "vit", normalise=True)
    target = network._target(Batch(torch.rand(4, 1, 8, 8)))
    torch.testing.assert_close(target.mean(2), torch.zeros(4, 16), atol=1e-5, rtol=0)
    torch.testing.assert_close(target.std(2, correction=0), torch.ones(4, 16), atol=1e-2, rtol=0)


@pytest.mark.parametrize(("ratio", "block", "cells"), [(0.6, 4, 10), (0.25, 4, 4), (0.0, 4, 1)])
def test_holes_are_exactly_so_many_whole_blocks(ratio, block, cells):
    hidden = holes(torch.zeros(50, 3, 16, 16), ratio, block).float()
    tiles = hidden.unfold(2, block, block).unfold(3, block, block).flatten(4)
    assert (tiles.amax(-1) == tiles.amin(-1)).all()
    assert tiles.amax(-1).sum((1, 2, 3)).tolist() == [cells] * 50
    assert len(hidden.flatten(1).unique(dim=0)) > 1


def test_holes_of_rows_of_numbers_are_single_values():
    assert holes(torch.zeros(20, 10), 0.3, 4).sum(1).tolist() == [3] * 20


def test_inpainting_loss_is_of_hidden_values_only():
    target = torch.rand(4, 3, 8, 8, requires_grad=True)
    hidden = holes(target.detach(), 0.5, 2)
    guess = torch.rand(4, 3, 8, 8)
    loss_in_holes(guess, target, hidden).backward()
    everywhere = hidden.expand_as(target)
    assert torch.equal(target.grad != 0, everywhere)
    wanted = ((guess - target) ** 2)[everywhere].mean()
    torch.testing.assert_close(loss_in_holes(guess, target, hidden), wanted)


def test_inpainting_shows_the_holes_and_fills_only_them():
    x = batch(4).x
    torch.manual_seed(3)
    seen, back = learner("inpainting").eval().reconstruct(Batch(x))
    holed = seen != x
    assert 0.3 < float(holed.float().mean()) < 0.8
    assert torch.equal(back[~holed], x[~holed])


def test_sparse_codes_keep_the_largest_and_no_more_than_k():
    torch.manual_seed(0)
    h = torch.randn(200, 40)
    code = largest(h, 5)
    assert int((code > 0).sum(1).max()) <= 5
    assert (code >= 0).all()
    for row, kept in zip(h, code, strict=True):
        best = row.sort(descending=True).values[:5].clamp(min=0)
        assert torch.equal(kept.sort(descending=True).values[:5], best)
    assert int((largest(-h.abs(), 5) != 0).sum()) == 0


def test_sparse_learner_uses_few_units_for_a_sample_and_refuses_more_than_there_are():
    network = learner("sparse", code=64, active=6)
    assert int((network._code(batch(30)) > 0).sum(1).max()) <= 6
    with pytest.raises(UserError, match="active' is 9"):
        learner("sparse", code=8, active=9)


def test_an_objective_on_a_backbone_that_cannot_serve_it_is_refused(tmp_path):
    with pytest.raises(UserError, match="'masked' does not work with backbone 'conv'") as caught:
        hs.pretrain("digits", objective="masked", backbone="conv", steps=1, out=tmp_path / "run")
    assert caught.value.hints == ("Use --backbone vit or ast.",)
